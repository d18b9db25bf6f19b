//! Bodies: JSON with its limits, and parameters of requests that may be text or number.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::BODY_BYTES;
use super::error::ScimError;
use crate::http::body::UnreadBody;
use crate::http::extract;
use crate::http::wire::holds_nul;

/// How deep JSON nests at most.
const DEPTH: usize = 64;

/// The object in a request's body.
#[derive(Debug)]
pub struct ScimBody(pub Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for ScimBody {
    type Rejection = ScimError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ScimError> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        object(&headers, &body).map(Self)
    }
}

fn unread(rejection: &BytesRejection) -> ScimError {
    match extract::unread(rejection) {
        UnreadBody::TooLarge => ScimError::TooLarge(format!("a body has {BODY_BYTES} bytes at most")),
        UnreadBody::TooSlow => ScimError::TooSlow,
        unread @ UnreadBody::NoRoom => ScimError::Unavailable(unread.into()),
        UnreadBody::Broken => ScimError::InvalidSyntax("the body could not be read".to_owned()),
    }
}

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
    if holds_nul(&value) {
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

/// The member of that name in any letter case, null being none. The last of several counts.
#[must_use]
pub fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let exact = object.get(name);
    let found =
        exact.or_else(|| object.iter().rfind(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
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

/// The value itself, or the one that a string holds as JSON: GitLab's documentation calls some types "JSON string".
#[must_use]
pub fn unwrapped(value: &Value) -> Value {
    match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) && depth(text.as_bytes()) <= DEPTH => {
            let inner = serde_json::from_str(text).ok().filter(|inner| !holds_nul(inner));
            inner.unwrap_or_else(|| value.clone())
        }
        value => value.clone(),
    }
}

/// What `active` says, in all the ways that providers say it; null says nothing.
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
