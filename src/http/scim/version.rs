//! Versions of resources in requests and answers: what `If-None-Match` and `If-Match` say of them.

use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use crate::domain::scim::version::{ExpectedVersion, lists_version, version_of};

/// 304 where the client has the version already.
pub fn not_modified(headers: &HeaderMap, updated_at: DateTime<Utc>) -> Option<Response> {
    let known = headers.get(IF_NONE_MATCH)?.to_str().unwrap_or_default();
    lists_version(known, updated_at)
        .then(|| (StatusCode::NOT_MODIFIED, [(ETAG, version_of(updated_at))]).into_response())
}

/// The versions that the client means to change. A header that is no text names none.
pub fn expected(headers: &HeaderMap) -> ExpectedVersion {
    ExpectedVersion::new(headers.get(IF_MATCH).map(|value| value.to_str().unwrap_or_default()))
}
