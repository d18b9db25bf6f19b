//! A user as SCIM shows it.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::domain::scim::search::USER_SCHEMA;
use crate::domain::scim::version::version_of;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::projection::AttributeProjection;
use crate::http::scim::url::encoded;
use crate::http::scim::{moment, resource_answer};
use crate::store::scim_search::ScimUserRow;

/// The resource, with what the client asked to see of it.
#[must_use]
pub fn render(caller: &ScimCaller, user: &ScimUserRow, projection: &AttributeProjection) -> Map<String, Value> {
    let Value::Object(resource) = json!({
        "schemas": [USER_SCHEMA],
        "id": user.extern_uid,
        "externalId": user.extern_uid,
        "active": user.active,
        "name.formatted": user.name,
        "name": name(user),
        "displayName": user.name,
        "userName": user.username,
        "meta": {
            "resourceType": "User",
            "created": moment(user.created_at),
            "lastModified": moment(user.updated_at),
            "location": location(caller, user),
            "version": version_of(user.updated_at),
        },
        "emails": [{ "type": "work", "value": user.email, "primary": true }],
    }) else {
        return Map::new();
    };
    projection.apply(resource)
}

/// An answer that is the resource, with its version, and where it is new with its place.
pub fn answer(
    caller: &ScimCaller,
    user: &ScimUserRow,
    projection: &AttributeProjection,
    status: StatusCode,
) -> Response {
    resource_answer(status, render(caller, user, projection), user.updated_at, &location(caller, user))
}

fn location(caller: &ScimCaller, user: &ScimUserRow) -> String {
    format!("{}/Users/{}", caller.base_url(), encoded(&user.extern_uid))
}

/// The whole name and its parts: as they were sent, or where no part ever was, the first word and the rest. What is
/// empty is left out.
fn name(user: &ScimUserRow) -> Value {
    let (given, family) = match (&user.first_name, &user.last_name) {
        (None, None) => {
            let whole = user.name.trim_matches(' ');
            let (given, rest) = whole.split_once(' ').unwrap_or((whole, ""));
            (given, rest.trim_start_matches(' '))
        }
        (given, family) => (given.as_deref().unwrap_or_default(), family.as_deref().unwrap_or_default()),
    };
    let parts = [("formatted", user.name.as_str()), ("givenName", given), ("familyName", family)];
    let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(parts.map(|(key, text)| (key.to_owned(), Value::from(text))).collect())
}
