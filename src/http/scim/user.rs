//! A user as SCIM shows it.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::CONTENT;
use super::projection::Projection;
use super::target::encoded;
use crate::domain::scim::search::USER_SCHEMA;
use crate::http::auth::scim::ScimCaller;
use crate::store::scim_search::FoundUser;

/// The resource, with what the client asked to see of it.
#[must_use]
pub fn render(caller: &ScimCaller, user: &FoundUser, projection: &Projection) -> Map<String, Value> {
    let Value::Object(resource) = json!({
        "schemas": [USER_SCHEMA],
        "id": user.extern_uid,
        "externalId": user.extern_uid,
        "active": user.active,
        "name.formatted": user.name,
        "name": name(&user.name),
        "displayName": user.name,
        "userName": user.username,
        "meta": {
            "resourceType": "User",
            "created": moment(user.created_at),
            "lastModified": moment(user.updated_at),
            "location": location(caller, user),
            "version": version(user.updated_at),
        },
        "emails": [{ "type": "work", "value": user.email, "primary": true }],
    }) else {
        return Map::new();
    };
    projection.apply(resource)
}

/// An answer that is the resource, with its version, and where it is new with its place.
pub fn answer(caller: &ScimCaller, user: &FoundUser, projection: &Projection, status: StatusCode) -> Response {
    let body = Value::Object(render(caller, user, projection)).to_string();
    let headers =
        [(CONTENT_TYPE, CONTENT.to_owned()), (CACHE_CONTROL, "no-store".to_owned()), (ETAG, version(user.updated_at))];
    let mut response = (status, headers, body).into_response();
    if status == StatusCode::CREATED
        && let Ok(place) = location(caller, user).parse()
    {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// The version of a resource that changed last at this moment.
#[must_use]
pub fn version(updated_at: DateTime<Utc>) -> String {
    format!("W/\"{:x}\"", updated_at.timestamp_micros())
}

fn location(caller: &ScimCaller, user: &FoundUser) -> String {
    format!("{}/Users/{}", caller.base_url(), encoded(&user.extern_uid))
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The whole name, its first word and the rest; what is empty is left out.
fn name(formatted: &str) -> Value {
    let (given, family) = formatted.trim().split_once(' ').unwrap_or((formatted.trim(), ""));
    let parts = [("formatted", formatted), ("givenName", given), ("familyName", family.trim_start())];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(parts.map(|(key, text)| (key.to_owned(), Value::from(text))).collect())
}
