//! Members in a body, and in the path of an operation.

use serde_json::Value;

use crate::domain::scim::filter::{FilterOperator, FilterValue, ScimFilter};
use crate::domain::scim::group::unquoted;
use crate::http::scim::body;
use crate::http::scim::error::ScimError;

/// The ids of members who come: of `[{"value": "…"}]`, of one alone, of a string that holds these. What names nobody is
/// passed over, as GitLab does.
///
/// # Errors
/// 400 for what is no list of members.
pub fn parse_known_ids(value: &Value) -> Result<Vec<String>, ScimError> {
    Ok(parse_list(value)?.iter().filter_map(parse_id).collect())
}

/// The ids of a list that says who goes, or who alone stays.
///
/// # Errors
/// 400 where one of them cannot be read: somebody might stay who should go, or all go who should stay.
pub fn parse_ids(value: &Value) -> Result<Vec<String>, ScimError> {
    parse_list(value)?.iter().map(|member| parse_id(member).ok_or_else(unreadable)).collect()
}

fn parse_list(value: &Value) -> Result<Vec<Value>, ScimError> {
    match body::unwrapped(value) {
        Value::Null => Ok(Vec::new()),
        Value::Array(members) => Ok(members),
        member @ Value::Object(_) => Ok(vec![member]),
        _ => Err(unreadable()),
    }
}

fn parse_id(member: &Value) -> Option<String> {
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
pub fn parse_filter_ids(filter: &ScimFilter) -> Result<Vec<String>, ScimError> {
    match filter {
        ScimFilter::Compare(attribute, FilterOperator::Equal, FilterValue::Text(id) | FilterValue::Number(id))
            if attribute.schema().is_none() && attribute.name() == "value" && attribute.sub().is_none() =>
        {
            Ok(vec![unquoted(id).to_owned()])
        }
        ScimFilter::Or(filters) => Ok(filters.iter().map(parse_filter_ids).collect::<Result<Vec<_>, _>>()?.concat()),
        _ => Err(unreadable()),
    }
}

/// 400
pub fn unreadable() -> ScimError {
    ScimError::InvalidValue("members cannot be read".to_owned())
}
