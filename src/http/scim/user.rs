//! A user, as every endpoint that hands one out shows it (scim.md 2.1).

use axum::http::HeaderValue;
use axum::http::StatusCode;
use axum::http::header::{ETAG, LOCATION};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::projection::Projection;
use super::scim_json;
use crate::domain::scim::search::USER_SCHEMA;
use crate::store::scim_search::FoundUser;

/// What stays as it is in an id that becomes the last step of a URL.
const STEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The resource, with all that a user has.
#[must_use]
pub fn resource(user: &FoundUser, base: &str) -> Map<String, Value> {
    let Value::Object(mut resource) = json!({
        "schemas": [USER_SCHEMA],
        "id": user.extern_uid,
        "externalId": user.extern_uid,
        "active": user.active,
        // The flat key is GitLab's own, and what its documentation shows.
        "name.formatted": user.name,
        "name": name(&user.name),
        "displayName": user.name,
        "userName": user.username,
        "meta": {
            "resourceType": "User",
            "created": time(user.created_at),
            "lastModified": time(user.updated_at),
            "location": location(user, base),
            "version": version(user.updated_at),
        },
    }) else {
        return Map::new();
    };
    if !user.email.is_empty() {
        let emails = json!([{ "type": "work", "value": user.email, "primary": true }]);
        resource.insert("emails".to_owned(), emails);
    }
    resource
}

/// The answer that shows a user: all of it, or what was asked for.
#[must_use]
pub fn show(status: StatusCode, user: &FoundUser, base: &str, projection: &Projection) -> Response {
    let mut response = scim_json(status, &Value::Object(projection.apply(resource(user, base))));
    let headers = response.headers_mut();
    // A percent-encoded URL and a version in hexadecimal digits are ASCII.
    headers.extend(HeaderValue::try_from(version(user.updated_at)).ok().map(|version| (ETAG, version)));
    if status == StatusCode::CREATED {
        headers.extend(HeaderValue::try_from(location(user, base)).ok().map(|location| (LOCATION, location)));
    }
    response.into_response()
}

/// The version of a resource that changed last at this moment.
#[must_use]
pub fn version(updated_at: DateTime<Utc>) -> String {
    format!("W/\"{:x}\"", updated_at.timestamp_micros())
}

fn location(user: &FoundUser, base: &str) -> String {
    format!("{base}/Users/{}", utf8_percent_encode(&user.extern_uid, STEP))
}

/// The first word is the given name, as far as we know.
fn name(formatted: &str) -> Value {
    let (given, family) = formatted.trim().split_once(' ').unwrap_or((formatted.trim(), ""));
    let parts = [("formatted", formatted), ("givenName", given), ("familyName", family.trim_start())];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(parts.map(|(part, text)| (part.to_owned(), text.into())).collect())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
