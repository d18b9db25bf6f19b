//! The operations of a `PATCH`, as a client writes them (RFC 7644, section 3.5.2).

use serde_json::{Map, Value};

use super::body;
use super::error::ScimError;

/// The most operations in a request.
const MAX_OPERATIONS: usize = 1000;

/// One operation; what it is about is for the resource to say.
#[derive(Debug)]
pub struct PatchOperation<'a> {
    /// What to do, in lower case.
    pub op: String,
    /// What with; a blank path is none.
    pub path: Option<&'a str>,
    /// The value, null where there is none.
    pub value: &'a Value,
}

/// The operations of a body, in order; `None` where it says nothing of any.
///
/// # Errors
/// 400 for what is no list of operations, 413 for too many of them.
pub fn parse_all(operations: &Value) -> Result<Vec<PatchOperation<'_>>, ScimError> {
    let Value::Array(operations) = operations else { return Err(syntax("Operations must be an array")) };
    if operations.len() > MAX_OPERATIONS {
        return Err(ScimError::TooLarge(format!("there are {MAX_OPERATIONS} operations at most")));
    }
    operations.iter().map(parse).collect()
}

/// `Operations` of a body, also where it is a string that holds them.
pub fn find(fields: &Map<String, Value>) -> Option<Value> {
    body::member(fields, "Operations").map(body::unwrapped)
}

fn parse(operation: &Value) -> Result<PatchOperation<'_>, ScimError> {
    let Value::Object(operation) = operation else { return Err(syntax("An operation must be an object")) };
    let Some(Value::String(op)) = body::member(operation, "op") else { return Err(syntax("op must be a string")) };
    let path = match body::member(operation, "path") {
        None => None,
        Some(Value::String(path)) => Some(path.trim()).filter(|path| !path.is_empty()),
        Some(_) => return Err(syntax("path must be a string")),
    };
    let value = body::member(operation, "value").unwrap_or(&Value::Null);
    Ok(PatchOperation { op: op.trim().to_ascii_lowercase(), path, value })
}

/// What a value without a path sets: each key is a path of its own.
///
/// # Errors
/// 400 for what is no object.
pub fn parse_values(value: &Value) -> Result<Map<String, Value>, ScimError> {
    match body::unwrapped(value) {
        Value::Object(values) => Ok(values),
        _ => Err(syntax("The value of an operation without a path must be an object")),
    }
}

/// Whether a path that does not parse begins with this attribute of the schema; both names in lower case.
pub fn is_about(path: &str, schema: &str, attribute: &str) -> bool {
    let lower = path.trim().to_ascii_lowercase();
    let own = lower.strip_prefix(&schema.to_ascii_lowercase()).and_then(|rest| rest.strip_prefix(':'));
    let rest = own.unwrap_or(&lower).strip_prefix(attribute);
    rest.is_some_and(|rest| !rest.starts_with(|char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')))
}

fn syntax(detail: &str) -> ScimError {
    ScimError::InvalidSyntax(detail.to_owned())
}
