//! Versions of resources: entity tags that go by when a resource changed last (RFC 7644, section 3.14).

use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::error::ScimError;

/// The version of a resource that changed last at this moment.
#[must_use]
pub fn version(updated_at: DateTime<Utc>) -> String {
    format!("W/\"{:x}\"", updated_at.timestamp_micros())
}

/// 304 where the client has the version already.
pub fn known(headers: &HeaderMap, updated_at: DateTime<Utc>) -> Option<Response> {
    let version = version(updated_at);
    let known = headers.get(IF_NONE_MATCH)?.to_str().unwrap_or_default();
    names(known, &version).then(|| (StatusCode::NOT_MODIFIED, [(ETAG, version)]).into_response())
}

/// Refuses a change that is meant for another version.
///
/// # Errors
/// 412 where the client names versions, and this one is not among them.
pub fn check_meant(headers: &HeaderMap, updated_at: DateTime<Utc>) -> Result<(), ScimError> {
    let Some(meant) = headers.get(IF_MATCH) else { return Ok(()) };
    if names(meant.to_str().unwrap_or_default(), &version(updated_at)) { Ok(()) } else { Err(ScimError::Changed) }
}

/// Whether a list of entity tags has this one. Ours are weak, and so is the comparison.
fn names(tags: &str, version: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|tag| plain(tag) == plain(version))
}
