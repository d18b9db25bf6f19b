//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`: what can a client do here?
//!
//! The schema of users is small, and says of each attribute what is true of it: clients and checkers act on it.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::error::ScimError;
use super::scim_json;
use crate::domain::scim::search::USER_SCHEMA;
use crate::http::auth::scim::ScimCaller;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// What is supported.
#[must_use]
pub fn service_provider_config(caller: &ScimCaller) -> Response {
    let body = json!({
        "schemas": [CONFIG],
        "documentationUri": "https://docs.gitlab.com/development/internal_api/",
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": 100 },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "The SCIM token of the group or of the installation, as a bearer token",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", caller.base()),
        },
    });
    scim_json(StatusCode::OK, &body)
}

/// Which resources there are.
///
/// # Errors
/// 404 for one that there is not.
pub fn resource_types(caller: &ScimCaller, id: Option<&str>) -> Result<Response, ScimError> {
    let all = vec![json!({
        "schemas": [RESOURCE_TYPE],
        "id": "User",
        "name": "User",
        "description": "A user whom the identity provider manages",
        "endpoint": "/Users",
        "schema": USER_SCHEMA,
        "schemaExtensions": [],
        "meta": { "resourceType": "ResourceType", "location": format!("{}/ResourceTypes/User", caller.base()) },
    })];
    one_or_all(all, id)
}

/// What resources are made of.
///
/// # Errors
/// 404 for a schema that there is not.
pub fn schemas(caller: &ScimCaller, id: Option<&str>) -> Result<Response, ScimError> {
    let all = [user(), service_provider_config_schema(), resource_type_schema(), schema_schema()].map(|mut schema| {
        let location = format!("{}/Schemas/{}", caller.base(), schema["id"].as_str().unwrap_or_default());
        schema["meta"] = json!({ "resourceType": "Schema", "location": location });
        schema["schemas"] = json!([SCHEMA]);
        schema
    });
    one_or_all(all.into(), id)
}

fn one_or_all(all: Vec<Value>, id: Option<&str>) -> Result<Response, ScimError> {
    let Some(id) = id else {
        let count = all.len();
        let body = json!({
            "schemas": [LIST], "totalResults": count, "itemsPerPage": count, "startIndex": 1, "Resources": all,
        });
        return Ok(scim_json(StatusCode::OK, &body));
    };
    let matches = |one: &&Value| one["id"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(id));
    let found = all.iter().find(matches).ok_or_else(|| ScimError::NotFound("Resource", id.to_owned()))?;
    Ok(scim_json(StatusCode::OK, found))
}

/// An attribute, with what most of them have in common.
fn attribute(name: &str, kind: &str, changes: Value) -> Value {
    let mut attribute = json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "description": name,
        "required": false,
        "mutability": "readOnly",
        "returned": "default",
    });
    if matches!(kind, "string" | "reference") {
        attribute["caseExact"] = false.into();
        attribute["uniqueness"] = "none".into();
    }
    if let (Some(attribute), Value::Object(changes)) = (attribute.as_object_mut(), changes) {
        attribute.extend(changes);
    }
    attribute
}

fn string(name: &str, changes: Value) -> Value {
    attribute(name, "string", changes)
}

fn user() -> Value {
    let immutable = || json!({ "mutability": "immutable" });
    let needed = |description: &str| json!({ "mutability": "immutable", "required": true, "description": description });
    let unique = |description: &str| {
        let mut changes = needed(description);
        changes["uniqueness"] = "server".into();
        changes
    };
    json!({
        "id": USER_SCHEMA,
        "name": "User",
        "description": "A user whom the identity provider manages",
        "attributes": [
            string("userName", unique("What the user name is made of; what comes of it may differ")),
            string("externalId", unique("What the identity provider calls the user")),
            attribute("name", "complex", json!({
                "mutability": "immutable",
                "required": true,
                "description": "The name that people read",
                "subAttributes": [
                    string("formatted", needed("The whole name")),
                    string("givenName", immutable()),
                    string("familyName", immutable()),
                ],
            })),
            attribute("emails", "complex", json!({
                "multiValued": true,
                "mutability": "immutable",
                "required": true,
                "description": "The user's first address",
                "subAttributes": [
                    string("value", needed("The address")),
                    string("type", json!({ "mutability": "immutable", "canonicalValues": ["work"] })),
                    attribute("primary", "boolean", immutable()),
                ],
            })),
            attribute("active", "boolean", json!({
                "mutability": "readWrite", "description": "Whether the user is taken on",
            })),
            string("name.formatted", json!({ "description": "The whole name, under GitLab's own key" })),
            string("displayName", json!({ "description": "The whole name" })),
        ],
    })
}

fn service_provider_config_schema() -> Value {
    let supported = || attribute("supported", "boolean", json!({ "required": true }));
    let feature = |name: &str, more: Vec<Value>| {
        let parts: Vec<Value> = std::iter::once(supported()).chain(more).collect();
        attribute(name, "complex", json!({ "required": true, "subAttributes": parts }))
    };
    let integer = |name: &str| attribute(name, "integer", json!({ "required": true }));
    let required = || json!({ "required": true });
    json!({
        "id": CONFIG,
        "name": "ServiceProviderConfig",
        "description": "What is supported",
        "attributes": [
            attribute("documentationUri", "reference", json!({ "referenceTypes": ["external"] })),
            feature("patch", vec![]),
            feature("bulk", vec![integer("maxOperations"), integer("maxPayloadSize")]),
            feature("filter", vec![integer("maxResults")]),
            feature("changePassword", vec![]),
            feature("sort", vec![]),
            feature("etag", vec![]),
            attribute("authenticationSchemes", "complex", json!({
                "multiValued": true,
                "required": true,
                "subAttributes": [
                    string("type", json!({
                        "required": true,
                        "canonicalValues": ["oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest"],
                    })),
                    string("name", required()),
                    string("description", required()),
                    attribute("specUri", "reference", json!({ "referenceTypes": ["external"] })),
                    attribute("documentationUri", "reference", json!({ "referenceTypes": ["external"] })),
                    attribute("primary", "boolean", json!({})),
                ],
            })),
        ],
    })
}

fn resource_type_schema() -> Value {
    let uri = |name: &str| attribute(name, "reference", json!({ "required": true, "referenceTypes": ["uri"] }));
    json!({
        "id": RESOURCE_TYPE,
        "name": "ResourceType",
        "description": "A kind of resource",
        "attributes": [
            string("id", json!({})),
            string("name", json!({ "required": true })),
            string("description", json!({})),
            uri("endpoint"),
            uri("schema"),
            attribute("schemaExtensions", "complex", json!({
                "multiValued": true,
                "required": true,
                "subAttributes": [uri("schema"), attribute("required", "boolean", json!({ "required": true }))],
            })),
        ],
    })
}

fn schema_schema() -> Value {
    let parts = || {
        vec![
            string("name", json!({ "required": true })),
            string(
                "type",
                json!({
                    "required": true,
                    "canonicalValues": ["string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary"],
                }),
            ),
            attribute("multiValued", "boolean", json!({ "required": true })),
            string("description", json!({})),
            attribute("required", "boolean", json!({ "required": true })),
            string("canonicalValues", json!({ "multiValued": true })),
            attribute("caseExact", "boolean", json!({})),
            string("mutability", json!({ "canonicalValues": ["readOnly", "readWrite", "immutable", "writeOnly"] })),
            string("returned", json!({ "canonicalValues": ["always", "never", "default", "request"] })),
            string("uniqueness", json!({ "canonicalValues": ["none", "server", "global"] })),
            string("referenceTypes", json!({ "multiValued": true })),
        ]
    };
    let inner = attribute("subAttributes", "complex", json!({ "multiValued": true, "subAttributes": parts() }));
    let mut outer = parts();
    outer.push(inner);
    json!({
        "id": SCHEMA,
        "name": "Schema",
        "description": "What a kind of resource is made of",
        "attributes": [
            string("id", json!({})),
            string("name", json!({ "required": true })),
            string("description", json!({})),
            attribute("attributes", "complex", json!({
                "multiValued": true, "required": true, "subAttributes": outer,
            })),
        ],
    })
}
