//! The body of a SCIM request: a JSON object with limits, whose names are found in any letter case.

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::error::ScimError;

/// The deepest that a body nests.
const MAX_DEPTH: usize = 64;

/// The object in a request's body.
///
/// # Errors
/// 415, 413 and 400: another type, more than `limit` bytes, anything but an object of texts that a column holds.
pub async fn read(request: Request, limit: usize) -> Result<Map<String, Value>, ScimError> {
    let form = is_form(request.headers())?;
    let body = to_bytes(request.into_body(), limit)
        .await
        .map_err(|_| ScimError::TooLarge(format!("{limit} bytes are read")))?;
    // What curl sends when it is told no type.
    if form && !body.trim_ascii_start().starts_with(b"{") {
        return Err(ScimError::UnsupportedMediaType);
    }
    match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => {
            let fields = Value::Object(fields);
            check(&fields, MAX_DEPTH)?;
            let Value::Object(fields) = fields else { return Err(not_an_object()) };
            Ok(fields)
        }
        Ok(_) => Err(not_an_object()),
        Err(_) => Err(ScimError::InvalidSyntax("The body is not valid JSON".to_owned())),
    }
}

fn not_an_object() -> ScimError {
    ScimError::InvalidSyntax("The body must be a JSON object".to_owned())
}

fn is_form(headers: &HeaderMap) -> Result<bool, ScimError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(false) };
    let media = value.to_str().unwrap_or("not text").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "" | "application/scim+json" | "application/json" => Ok(false),
        "application/x-www-form-urlencoded" => Ok(true),
        _ => Err(ScimError::UnsupportedMediaType),
    }
}

/// The library's own limit is above ours, so the walk is as deep as that at most.
fn check(value: &Value, depth: usize) -> Result<(), ScimError> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(ScimError::InvalidSyntax(format!("The body nests deeper than {MAX_DEPTH} levels")));
    };
    match value {
        Value::String(text) => check_text(text),
        Value::Array(values) => values.iter().try_for_each(|value| check(value, depth)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            check_text(name)?;
            check(value, depth)
        }),
        _ => Ok(()),
    }
}

fn check_text(text: &str) -> Result<(), ScimError> {
    if text.contains('\0') {
        return Err(ScimError::InvalidValue("A text must not contain U+0000".to_owned()));
    }
    Ok(())
}

/// The value of this name in any letter case, where there is one that is not null. The exact name goes first.
#[must_use]
pub fn get<'a>(fields: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = fields.get(name);
    let value =
        exact.or_else(|| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value));
    value.filter(|value| !value.is_null())
}

/// The value itself, or the one that a string holds as JSON: GitLab's documentation calls some types "JSON string".
#[must_use]
pub fn unwrapped(value: &Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        value => value.clone(),
    }
}

/// A text, or a number as its digits.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What `active` says, in all the ways that providers say it.
///
/// # Errors
/// 400 for anything else: a deactivation that is not understood must not pass for done.
pub fn active(value: &Value) -> Result<Option<bool>, ScimError> {
    let said = match value {
        Value::Null => return Ok(None),
        Value::Bool(active) => return Ok(Some(*active)),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim_matches(|char: char| char == '"' || char.is_whitespace()).to_ascii_lowercase(),
        Value::Array(_) | Value::Object(_) => String::new(),
    };
    match said.as_str() {
        "true" | "1" => Ok(Some(true)),
        "false" | "0" => Ok(Some(false)),
        _ => Err(ScimError::InvalidValue("active must be true or false".to_owned())),
    }
}
