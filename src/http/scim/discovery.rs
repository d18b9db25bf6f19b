//! `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas`: what a client can expect here, and no more than is true.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::bulk::MAX_OPERATIONS;
use super::error::ScimError;
use super::list_request::MAX_COUNT;
use super::schemas::{ScimListResponse, ScimResourceType, ScimSchema, ScimServiceProviderConfig};
use super::{BODY_BYTES, ScimState, json_answer};
use crate::domain::scim::group::GROUP_SCHEMA;
use crate::domain::scim::search::USER_SCHEMA;
use crate::domain::scim::tenant::ScimTenant;
use crate::http::auth::scim::ScimCaller;

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0";

/// What the server supports.
#[utoipa::path(
    get,
    path = "/ServiceProviderConfig",
    responses((status = 200, body = ScimServiceProviderConfig))
)]
pub async fn config(State(_): State<ScimState>, caller: ScimCaller) -> Response {
    let bulk = match caller.tenant() {
        ScimTenant::Group(_) => json!({ "supported": false, "maxOperations": 0, "maxPayloadSize": 0 }),
        ScimTenant::Instance => {
            json!({ "supported": true, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": BODY_BYTES })
        }
    };
    let config = json!({
        "schemas": [format!("{CORE}:ServiceProviderConfig")],
        "patch": { "supported": true },
        "bulk": bulk,
        "filter": { "supported": true, "maxResults": MAX_COUNT },
        "changePassword": { "supported": false },
        "sort": { "supported": true },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "OAuth Bearer Token",
            "description": "The SCIM token of the group or of the installation",
            "specUri": "https://www.rfc-editor.org/info/rfc6750",
            "primary": true,
        }],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{}/ServiceProviderConfig", caller.base_url()),
        },
    });
    json_answer(StatusCode::OK, &config)
}

/// The types of resources that there are here.
#[utoipa::path(
    get,
    path = "/ResourceTypes",
    responses((status = 200, body = ScimListResponse<ScimResourceType>))
)]
pub async fn resource_types(caller: ScimCaller) -> Response {
    listed(&all_types(&caller))
}

/// One type of resources.
///
/// # Errors
/// 404 for a type that is not listed.
#[utoipa::path(
    get,
    path = "/ResourceTypes/{id}",
    params(("id" = String, Path, description = "The type's name", example = "User")),
    responses((status = 200, body = ScimResourceType))
)]
pub async fn resource_type(caller: ScimCaller, Path(id): Path<String>) -> Result<Response, ScimError> {
    one_of(all_types(&caller), id)
}

/// The schemas that there are here.
#[utoipa::path(
    get,
    path = "/Schemas",
    responses((status = 200, body = ScimListResponse<ScimSchema>))
)]
pub async fn schemas(caller: ScimCaller) -> Response {
    listed(&all_schemas(&caller))
}

/// One schema.
///
/// # Errors
/// 404 for a schema that is not listed.
#[utoipa::path(
    get,
    path = "/Schemas/{urn}",
    params((
        "urn" = String,
        Path,
        description = "The schema's URN",
        example = "urn:ietf:params:scim:schemas:core:2.0:User"
    )),
    responses((status = 200, body = ScimSchema))
)]
pub async fn schema(caller: ScimCaller, Path(urn): Path<String>) -> Result<Response, ScimError> {
    one_of(all_schemas(&caller), urn)
}

fn one_of(resources: Vec<Value>, id: String) -> Result<Response, ScimError> {
    let found = resources.into_iter().find(|resource| resource["id"] == id);
    found.map(|found| json_answer(StatusCode::OK, &found)).ok_or(ScimError::NoSuchResource(id))
}

fn listed(resources: &[Value]) -> Response {
    let answer = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": resources.len(),
        "itemsPerPage": resources.len(),
        "startIndex": 1,
        "Resources": resources,
    });
    json_answer(StatusCode::OK, &answer)
}

fn all_types(caller: &ScimCaller) -> Vec<Value> {
    let resource_type = |name: &str, description: &str, schema: &str| {
        json!({
            "schemas": [format!("{CORE}:ResourceType")],
            "id": name,
            "name": name,
            "description": description,
            "endpoint": format!("/{name}s"),
            "schema": schema,
            "schemaExtensions": [],
            "meta": {
                "resourceType": "ResourceType",
                "location": format!("{}/ResourceTypes/{name}", caller.base_url()),
            },
        })
    };
    let mut types = vec![resource_type("User", "An account that an identity provider looks after", USER_SCHEMA)];
    if let ScimTenant::Instance = caller.tenant() {
        types.push(resource_type("Group", "Accounts that have the same groups and levels here", GROUP_SCHEMA));
    }
    types
}

fn all_schemas(caller: &ScimCaller) -> Vec<Value> {
    let schema = |name: &str, description: &str, attributes: Vec<Value>| {
        let id = format!("{CORE}:{name}");
        json!({
            "schemas": [format!("{CORE}:Schema")],
            "id": id,
            "name": name,
            "description": description,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{}/Schemas/{id}", caller.base_url()) },
        })
    };
    let mut schemas = vec![
        schema("User", "An account", user_attributes()),
        schema("ServiceProviderConfig", "What this server supports", config_attributes()),
        schema("ResourceType", "A kind of resource", type_attributes()),
        schema("Schema", "The attributes of a resource", schema_attributes()),
    ];
    if let ScimTenant::Instance = caller.tenant() {
        schemas.push(schema("Group", "Some accounts", group_attributes()));
    }
    schemas
}

/// What differs from attribute to attribute; the rest is the same for all.
struct AttributeTemplate {
    name: &'static str,
    data: &'static str,
    required: bool,
    mutability: &'static str,
}

fn attribute(AttributeTemplate { name, data, required, mutability }: AttributeTemplate, more: Value) -> Value {
    let mut attribute = json!({
        "name": name,
        "type": data,
        "multiValued": false,
        "description": name,
        "required": required,
        "caseExact": false,
        "mutability": mutability,
        "returned": "default",
        "uniqueness": "none",
    });
    if let (Value::Object(attribute), Value::Object(more)) = (&mut attribute, more) {
        attribute.extend(more);
    }
    attribute
}

fn user_attributes() -> Vec<Value> {
    let fixed = |name, kind, required| AttributeTemplate { name, data: kind, required, mutability: "immutable" };
    let shown = |name| AttributeTemplate { name, data: "string", required: false, mutability: "readOnly" };
    vec![
        attribute(fixed("userName", "string", true), json!({ "uniqueness": "server" })),
        attribute(fixed("externalId", "string", true), json!({})),
        attribute(
            fixed("name", "complex", true),
            json!({ "subAttributes": [
                attribute(fixed("formatted", "string", true), json!({})),
                attribute(fixed("givenName", "string", false), json!({})),
                attribute(fixed("familyName", "string", false), json!({})),
            ] }),
        ),
        attribute(
            fixed("emails", "complex", true),
            json!({ "multiValued": true, "subAttributes": [
                attribute(fixed("value", "string", true), json!({})),
                attribute(fixed("type", "string", false), json!({ "canonicalValues": ["work"] })),
                attribute(fixed("primary", "boolean", false), json!({})),
            ] }),
        ),
        attribute(
            AttributeTemplate { name: "active", data: "boolean", required: false, mutability: "readWrite" },
            json!({}),
        ),
        attribute(shown("name.formatted"), json!({})),
        attribute(shown("displayName"), json!({})),
    ]
}

fn group_attributes() -> Vec<Value> {
    let fixed = |name, data, required| AttributeTemplate { name, data, required, mutability: "immutable" };
    let mut display_name = attribute(fixed("displayName", "string", true), json!({ "uniqueness": "server" }));
    display_name["caseExact"] = true.into();
    vec![
        display_name,
        attribute(fixed("externalId", "string", false), json!({})),
        attribute(
            AttributeTemplate { name: "members", data: "complex", required: false, mutability: "readWrite" },
            json!({ "multiValued": true, "subAttributes": [
                attribute(fixed("value", "string", true), json!({})),
                attribute(fixed("$ref", "reference", false), json!({ "referenceTypes": ["User"] })),
                attribute(AttributeTemplate { name: "display", data: "string", required: false, mutability: "readOnly" }, json!({})),
                attribute(fixed("type", "string", false), json!({ "canonicalValues": ["User"] })),
            ] }),
        ),
    ]
}

fn read(name: &'static str, kind: &'static str, required: bool) -> AttributeTemplate {
    AttributeTemplate { name, data: kind, required, mutability: "readOnly" }
}

fn plain(name: &'static str, kind: &'static str) -> Value {
    attribute(read(name, kind, false), json!({}))
}

fn complex(name: &'static str, many: bool, parts: Vec<Value>) -> Value {
    let mut more = json!({ "multiValued": many });
    more["subAttributes"] = Value::Array(parts);
    attribute(read(name, "complex", true), more)
}

fn config_attributes() -> Vec<Value> {
    let supported = |name| complex(name, false, vec![plain("supported", "boolean")]);
    vec![
        plain("documentationUri", "reference"),
        supported("patch"),
        complex(
            "bulk",
            false,
            vec![plain("supported", "boolean"), plain("maxOperations", "integer"), plain("maxPayloadSize", "integer")],
        ),
        complex("filter", false, vec![plain("supported", "boolean"), plain("maxResults", "integer")]),
        supported("changePassword"),
        supported("sort"),
        supported("etag"),
        complex(
            "authenticationSchemes",
            true,
            vec![
                plain("type", "string"),
                plain("name", "string"),
                plain("description", "string"),
                plain("specUri", "reference"),
                plain("documentationUri", "reference"),
                plain("primary", "boolean"),
            ],
        ),
    ]
}

fn type_attributes() -> Vec<Value> {
    vec![
        plain("id", "string"),
        plain("name", "string"),
        plain("description", "string"),
        plain("endpoint", "reference"),
        plain("schema", "reference"),
        complex("schemaExtensions", true, vec![plain("schema", "reference"), plain("required", "boolean")]),
    ]
}

fn schema_attributes() -> Vec<Value> {
    let facts = || {
        vec![
            plain("name", "string"),
            plain("type", "string"),
            plain("multiValued", "boolean"),
            plain("description", "string"),
            plain("required", "boolean"),
            attribute(read("canonicalValues", "string", false), json!({ "multiValued": true })),
            plain("caseExact", "boolean"),
            plain("mutability", "string"),
            plain("returned", "string"),
            plain("uniqueness", "string"),
            attribute(read("referenceTypes", "string", false), json!({ "multiValued": true })),
        ]
    };
    let mut attributes = facts();
    attributes.push(complex("subAttributes", true, facts()));
    vec![
        plain("id", "string"),
        plain("name", "string"),
        plain("description", "string"),
        complex("attributes", true, attributes),
    ]
}
