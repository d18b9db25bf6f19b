//! Bodies: JSON with its limits, and parameters of requests that may be text or number.

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::error::ScimError;

/// How deep JSON nests at most.
const DEPTH: usize = 64;

/// The object in a body.
///
/// # Errors
/// Where it is of another type, no JSON, too deep, no object, or has a NUL in a text.
pub fn object(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, ScimError> {
    check_type(headers, body)?;
    let syntax = |reason: &str| ScimError::InvalidSyntax(reason.to_owned());
    if depth(body) > DEPTH {
        return Err(syntax("the body nests too deep"));
    }
    let value = serde_json::from_slice(body).map_err(|_| syntax("the body is not JSON"))?;
    if has_nul(&value) {
        return Err(ScimError::InvalidValue("a text contains a NUL character".to_owned()));
    }
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(syntax("the body is not a JSON object")),
    }
}

fn check_type(headers: &HeaderMap, body: &[u8]) -> Result<(), ScimError> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let media = value.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media.as_str() {
        "" | "application/scim+json" | "application/json" => Ok(()),
        // curl says so where it is not told better.
        "application/x-www-form-urlencoded" if body.trim_ascii_start().starts_with(b"{") => Ok(()),
        _ => Err(ScimError::UnsupportedMediaType),
    }
}

fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(has_nul),
        Value::Object(object) => object.iter().any(|(key, value)| key.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The member of that name in any letter case, null being none. The last of several counts.
#[must_use]
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = object.get(name);
    let found = exact
        .or_else(|| object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).last().map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// A text, or a number's digits.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
