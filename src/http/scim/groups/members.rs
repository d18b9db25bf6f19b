//! Members in a body, and in the path of an operation.

use serde_json::Value;

use crate::domain::scim::filter::{self, Filter, Operator};
use crate::domain::scim::group::unquoted;
use crate::http::scim::body;
use crate::http::scim::error::ScimError;

/// The ids of members who come: of `[{"value": "…"}]`, of one alone, of a string that holds these. What names nobody is
/// passed over, as GitLab does.
///
/// # Errors
/// 400 for what is no list of members.
pub fn coming(value: &Value) -> Result<Vec<String>, ScimError> {
    Ok(each(value)?.iter().filter_map(id).collect())
}

/// The ids of a list that says who goes, or who alone stays.
///
/// # Errors
/// 400 where one of them cannot be read: somebody might stay who should go, or all go who should stay.
pub fn all(value: &Value) -> Result<Vec<String>, ScimError> {
    each(value)?.iter().map(|member| id(member).ok_or_else(unreadable)).collect()
}

fn each(value: &Value) -> Result<Vec<Value>, ScimError> {
    match body::unwrapped(value) {
        Value::Null => Ok(Vec::new()),
        Value::Array(members) => Ok(members),
        member @ Value::Object(_) => Ok(vec![member]),
        _ => Err(unreadable()),
    }
}

fn id(member: &Value) -> Option<String> {
    let id = match member {
        Value::Object(member) => body::member(member, "value").and_then(body::text),
        member => body::text(member),
    };
    id.filter(|id| !id.trim().is_empty())
}

/// The ids in the filter of `members[value eq "…"]`, which may have several with `or`.
///
/// # Errors
/// 400 for any other filter.
pub fn ids_in(filter: &Filter) -> Result<Vec<String>, ScimError> {
    match filter {
        Filter::Compare(attribute, Operator::Equal, filter::Value::Text(id) | filter::Value::Number(id))
            if attribute.schema().is_none() && attribute.name() == "value" && attribute.sub().is_none() =>
        {
            Ok(vec![unquoted(id).to_owned()])
        }
        Filter::Or(filters) => Ok(filters.iter().map(ids_in).collect::<Result<Vec<_>, _>>()?.concat()),
        _ => Err(unreadable()),
    }
}

/// 400
pub fn unreadable() -> ScimError {
    ScimError::InvalidValue("members cannot be read".to_owned())
}
