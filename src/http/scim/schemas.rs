//! The bodies and parameters of SCIM as the document of the API has them. The handlers read and write JSON member by
//! member, so these types say it for people and tools alone.

use chrono::{DateTime, Utc};
use serde_json::Value;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, SchemaType};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use uuid::Uuid;

use crate::domain::scim::group::GROUP_SCHEMA;
use crate::domain::scim::search::USER_SCHEMA;

/// A user, less what the client did not ask to see.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "id": "0b1d561c-21ff-4092-beab-8154b17f82f2",
    "externalId": "0b1d561c-21ff-4092-beab-8154b17f82f2",
    "active": true,
    "name.formatted": "Test User",
    "name": { "formatted": "Test User", "givenName": "Test", "familyName": "User" },
    "displayName": "Test User",
    "userName": "username",
    "meta": {
        "resourceType": "User",
        "created": "2024-01-02T03:04:05.678Z",
        "lastModified": "2024-01-02T03:04:05.678Z",
        "location": "https://gitlab.example.com/api/scim/v2/groups/acme/Users/0b1d561c-21ff-4092-beab-8154b17f82f2",
        "version": "W/\"60df4ebbe0f30\"",
    },
    "emails": [{ "type": "work", "value": "name@example.com", "primary": true }],
}))]
pub struct ScimUser {
    /// The schema of users.
    #[schema(schema_with = schemas_of_users)]
    pub schemas: Vec<String>,
    /// The identity provider's id of the user.
    pub id: String,
    /// The same.
    #[schema(required = false)]
    pub external_id: String,
    /// Whether the identity provider lets the user in. A user whom an administrator blocked is active all the same.
    #[schema(required = false)]
    pub active: bool,
    /// The user's name, as GitLab has it beside `name`.
    #[schema(required = false, rename = "name.formatted")]
    pub name_formatted: String,
    /// The user's name and its parts.
    #[schema(required = false)]
    pub name: ScimName,
    /// The user's name.
    #[schema(required = false)]
    pub display_name: String,
    /// The username here, which is not always the one that was sent.
    #[schema(required = false)]
    pub user_name: String,
    /// When and where.
    #[schema(required = false)]
    pub meta: ScimMeta,
    /// The primary address.
    #[schema(required = false)]
    pub emails: Vec<ScimEmail>,
}

/// A name; a part that is empty is left out.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimName {
    /// The whole name.
    #[schema(required = false)]
    pub formatted: String,
    /// The given name.
    #[schema(required = false)]
    pub given_name: String,
    /// The family name.
    #[schema(required = false)]
    pub family_name: String,
}

/// An address.
#[derive(Debug, ToSchema)]
pub struct ScimEmail {
    /// `work`.
    #[schema(required = false, rename = "type")]
    pub kind: String,
    /// The address.
    #[schema(required = false)]
    pub value: String,
    /// True.
    #[schema(required = false)]
    pub primary: bool,
}

/// What is known of a resource itself.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimMeta {
    /// The name of its type.
    #[schema(required = false)]
    pub resource_type: String,
    /// When it was made; of users and groups.
    #[schema(required = false)]
    pub created: DateTime<Utc>,
    /// When it changed last; of users and groups.
    #[schema(required = false)]
    pub last_modified: DateTime<Utc>,
    /// Its URL.
    #[schema(required = false)]
    pub location: String,
    /// Its version, which is also its `ETag`; of users and groups.
    #[schema(required = false)]
    pub version: String,
}

/// A group of the identity provider that is tied to the groups here whose SAML group link has its name, less what the
/// client did not ask to see.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimGroup {
    /// The schema of groups.
    #[schema(schema_with = schemas_of_groups)]
    pub schemas: Vec<String>,
    /// The identity provider's id of the group.
    pub id: Uuid,
    /// The same.
    #[schema(required = false)]
    pub external_id: Uuid,
    /// The name that the SAML group links have.
    #[schema(required = false)]
    pub display_name: String,
    /// Who is in it.
    #[schema(required = false)]
    pub members: Vec<ScimMember>,
    /// When and where.
    #[schema(required = false)]
    pub meta: ScimMeta,
}

/// A user who is in a group.
#[derive(Debug, ToSchema)]
pub struct ScimMember {
    /// The user's id.
    #[schema(required = false)]
    pub value: String,
    /// The user's URL.
    #[schema(required = false, rename = "$ref")]
    pub location: String,
    /// The user's name.
    #[schema(required = false)]
    pub display: String,
    /// `User`.
    #[schema(required = false, rename = "type")]
    pub kind: String,
}

/// A user or a group.
#[derive(Debug)]
pub struct ScimResource;

impl PartialSchema for ScimResource {
    fn schema() -> RefOr<Schema> {
        let one = |name: &str| Ref::from_schema_name(name);
        AnyOfBuilder::new().item(one("ScimUser")).item(one("ScimGroup")).into()
    }
}

impl ToSchema for ScimResource {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((ScimUser::name().into_owned(), ScimUser::schema()));
        ScimUser::schemas(schemas);
        schemas.push((ScimGroup::name().into_owned(), ScimGroup::schema()));
        ScimGroup::schemas(schemas);
    }
}

/// A page of what was found.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimListResponse<T: ToSchema> {
    /// `urn:ietf:params:scim:api:messages:2.0:ListResponse`
    pub schemas: Vec<String>,
    /// How much there is on all pages.
    pub total_results: i64,
    /// How much the page has room for.
    pub items_per_page: i64,
    /// Where the page starts, from 1.
    pub start_index: i64,
    /// The page.
    #[schema(rename = "Resources")]
    pub resources: Vec<T>,
}

/// What a client asks for of a list. Names of members count in any letter case, in all of SCIM's requests.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
    "filter": "userName eq \"jane\" and active eq true",
    "startIndex": 1,
    "count": 20,
}))]
pub struct ScimSearchRequest {
    /// `urn:ietf:params:scim:api:messages:2.0:SearchRequest`; nobody looks at it.
    #[schema(required = false)]
    pub schemas: Vec<String>,
    /// What resources must be like; 8 KiB, 64 terms and 32 levels at most. A blank one is none.
    #[schema(required = false)]
    pub filter: ScimText,
    /// The place of the first resource of the page: 1 where it is not said, no number or below 1.
    #[schema(required = false)]
    pub start_index: ScimText,
    /// Resources on the page: 20 where it is not said or no number, 100 at most, and none from 0 down.
    #[schema(required = false)]
    pub count: ScimText,
    /// The attribute that orders them; one that does not is passed over.
    #[schema(required = false)]
    pub sort_by: ScimText,
    /// `descending`; anything else is ascending.
    #[schema(required = false)]
    pub sort_order: ScimText,
    /// The attributes to show.
    #[schema(required = false, schema_with = attribute_names)]
    pub attributes: Vec<String>,
    /// The attributes to leave out, where `attributes` names none.
    #[schema(required = false, schema_with = attribute_names)]
    pub excluded_attributes: Vec<String>,
}

/// A user as an identity provider sends them; of what stands here and is no part of it, nothing is kept.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "externalId": "test_uid",
    "active": null,
    "userName": "username",
    "emails": [{ "primary": true, "type": "work", "value": "name@example.com" }],
    "name": { "formatted": "Test User", "familyName": "User", "givenName": "Test" },
}))]
pub struct ScimUserRequest {
    /// Nobody looks at it.
    #[schema(required = false)]
    pub schemas: Vec<String>,
    /// The identity provider's id of the user.
    #[schema(required = false)]
    pub external_id: ScimText,
    /// The same, of a new user without `externalId`.
    #[schema(required = false)]
    pub id: ScimText,
    /// What the username is made of: the part before `@`.
    #[schema(required = false)]
    pub user_name: ScimText,
    /// The first one for work, or the first that is primary, counts; or one that stands alone.
    #[schema(required = false, schema_with = emails)]
    pub emails: Vec<ScimEmailRequest>,
    /// The name.
    #[schema(required = false, schema_with = name)]
    pub name: ScimNameRequest,
    /// The whole name, where `name` does not have it.
    #[schema(required = false, rename = "name.formatted")]
    pub name_formatted: ScimText,
    /// The whole name, where nothing else says it.
    #[schema(required = false)]
    pub display_name: ScimText,
    /// Whether they may come in: a new user may, where it is not said, and of others it stays as it is.
    #[schema(required = false)]
    pub active: ScimTruth,
}

/// A name as an identity provider sends it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimNameRequest {
    /// The whole name; without it, the parts are put together.
    #[schema(required = false)]
    pub formatted: ScimText,
    /// The given name.
    #[schema(required = false)]
    pub given_name: ScimText,
    /// The family name.
    #[schema(required = false)]
    pub family_name: ScimText,
}

/// An address as an identity provider sends it.
#[derive(Debug, ToSchema)]
pub struct ScimEmailRequest {
    /// `work`, or another.
    #[schema(required = false, rename = "type")]
    pub kind: ScimText,
    /// The address.
    #[schema(required = false)]
    pub value: ScimText,
    /// Whether it is the primary one.
    #[schema(required = false)]
    pub primary: ScimTruth,
}

/// A new group as an identity provider sends it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
    "displayName": "Developers",
    "externalId": "d93d8b2e-4c8f-4d52-9b2c-7d3f3a1e1f00",
    "members": [{ "value": "test_uid" }],
}))]
pub struct ScimGroupRequest {
    /// Nobody looks at it.
    #[schema(required = false)]
    pub schemas: Vec<String>,
    /// The name that SAML group links have.
    pub display_name: ScimText,
    /// The identity provider's id of the group, a UUID; it gets one where none is said.
    #[schema(required = false)]
    pub external_id: ScimText,
    /// Who comes; an id that is nobody's is passed over.
    #[schema(required = false, schema_with = members)]
    pub members: Vec<ScimMemberRequest>,
}

/// A whole group as an identity provider sends it, of which the members can change.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
    "displayName": "Developers",
    "members": [{ "value": "test_uid" }],
}))]
pub struct ScimGroupReplaceRequest {
    /// The schema of groups.
    pub schemas: Vec<String>,
    /// The name, which stays as it is.
    pub display_name: ScimText,
    /// Who alone is in it afterwards; where it is not said, nobody.
    #[schema(required = false, schema_with = members)]
    pub members: Vec<ScimMemberRequest>,
}

/// A member as an identity provider sends it.
#[derive(Debug, ToSchema)]
pub struct ScimMemberRequest {
    /// The user's id.
    #[schema(required = false)]
    pub value: ScimText,
}

/// What is to change of a user.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{ "op": "Replace", "path": "active", "value": "False" }],
}))]
pub struct ScimUserPatchRequest {
    /// Nobody looks at it.
    #[schema(required = false)]
    pub schemas: Vec<String>,
    /// All of them are done, or none; 1000 at most.
    #[schema(required = false, rename = "Operations", schema_with = operations)]
    pub operations: Vec<ScimPatchOperation>,
}

/// What is to change of a group's members.
#[derive(Debug, ToSchema)]
#[schema(example = json!({
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{ "op": "Add", "path": "members", "value": [{ "value": "test_uid" }] }],
}))]
pub struct ScimGroupPatchRequest {
    /// `urn:ietf:params:scim:api:messages:2.0:PatchOp`
    pub schemas: Vec<String>,
    /// All of them are done, or none; 1000 at most.
    #[schema(rename = "Operations", schema_with = operations)]
    pub operations: Vec<ScimPatchOperation>,
}

/// An operation of a `PATCH`.
#[derive(Debug, ToSchema)]
pub struct ScimPatchOperation {
    /// `add`, `replace` or `remove`, in any letter case; of users also `update`, and any other word changes nothing.
    pub op: String,
    /// What with; without it, or where it is blank, `value` is an object whose keys are paths.
    pub path: Option<String>,
    /// The value.
    #[schema(required = false)]
    pub value: Value,
}

/// Requests about users and groups, many in one body.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
    "failOnErrors": 1,
    "Operations": [
        {
            "method": "POST",
            "path": "/Users",
            "bulkId": "jane",
            "data": {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "externalId": "test_uid",
                "userName": "username",
                "emails": [{ "type": "work", "value": "name@example.com" }],
                "name": { "formatted": "Test User" },
            },
        },
        { "method": "DELETE", "path": "/Users/other_uid" },
    ],
}))]
pub struct ScimBulkRequest {
    /// Nobody looks at it.
    #[schema(required = false)]
    pub schemas: Vec<String>,
    /// After as many failures the rest is not done; a number from 1.
    #[schema(required = false)]
    pub fail_on_errors: ScimText,
    /// The requests; 100 at most.
    #[schema(rename = "Operations")]
    pub operations: Vec<ScimBulkOperation>,
}

/// One of the requests. Its path and data may name what another one makes as `bulkId:` with that one's name behind it.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimBulkOperation {
    /// `POST`, `PUT`, `PATCH` or `DELETE`, in any letter case.
    pub method: String,
    /// The client's own name for it, which no other operation has; a `POST` needs one.
    #[schema(required = false)]
    pub bulk_id: ScimText,
    /// `/Users` or `/Groups`, and the id below it where there is one.
    #[schema(pattern = "^/")]
    pub path: String,
    /// What the request's `If-Match` would be.
    pub version: Option<String>,
    /// The request's body, but for `DELETE`.
    #[schema(required = false)]
    pub data: Value,
}

/// The answer to each operation that was done, in the order of the request.
#[derive(Debug, ToSchema)]
pub struct ScimBulkResponse {
    /// `urn:ietf:params:scim:api:messages:2.0:BulkResponse`
    pub schemas: Vec<String>,
    /// The answers.
    #[schema(rename = "Operations")]
    pub operations: Vec<ScimBulkOperationResponse>,
}

/// The answer to one operation.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimBulkOperationResponse {
    /// The operation's method.
    pub method: String,
    /// The client's name for it.
    #[schema(required = false)]
    pub bulk_id: String,
    /// The resource's version.
    #[schema(required = false)]
    pub version: String,
    /// The resource's URL; not where it was not made.
    #[schema(required = false)]
    pub location: String,
    /// The status as three digits.
    pub status: String,
    /// Why it failed.
    #[schema(required = false)]
    pub response: ScimErrorResponse,
}

/// An error (RFC 7644, section 3.12).
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase", example = json!({
    "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
    "status": "404",
    "detail": "Resource test_uid not found",
}))]
pub struct ScimErrorResponse {
    /// `urn:ietf:params:scim:api:messages:2.0:Error`
    pub schemas: Vec<String>,
    /// The status as three digits.
    pub status: String,
    /// What kind of error it is, of some at 400, 409 and 412.
    #[schema(required = false)]
    pub scim_type: ScimErrorType,
    /// `detail` where GitLab says `message`: at 401 and 403, and where the licence does not cover SCIM.
    #[schema(required = false)]
    pub message: String,
    /// What is wrong, for people to read.
    pub detail: String,
}

/// Kinds of errors.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub enum ScimErrorType {
    /// The body, or an operation in it, is not of the right shape.
    InvalidSyntax,
    /// A value cannot be understood, or a rule refuses it.
    InvalidValue,
    /// A `remove` says not of what.
    NoTarget,
    /// The answer would be too long.
    TooMany,
    /// The filter cannot be used.
    InvalidFilter,
    /// The value is another resource's.
    Uniqueness,
}

/// What the server supports.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimServiceProviderConfig {
    /// `urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig`
    pub schemas: Vec<String>,
    /// `PATCH`.
    pub patch: ScimSupport,
    /// `/Bulk`, and its limits.
    pub bulk: ScimBulkSupport,
    /// Filters, and the most resources on a page.
    pub filter: ScimFilterSupport,
    /// Passwords.
    pub change_password: ScimSupport,
    /// `sortBy`.
    pub sort: ScimSupport,
    /// `ETag`.
    pub etag: ScimSupport,
    /// How clients show who they are.
    pub authentication_schemes: Vec<ScimAuthenticationScheme>,
    /// Where it is.
    pub meta: ScimMeta,
}

/// Whether something is supported.
#[derive(Debug, ToSchema)]
pub struct ScimSupport {
    /// Whether it is.
    pub supported: bool,
}

/// Whether there is `/Bulk`: on the installation's base alone.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimBulkSupport {
    /// Whether there is.
    pub supported: bool,
    /// Operations in a request at most.
    pub max_operations: u64,
    /// Bytes of a request at most.
    pub max_payload_size: u64,
}

/// Whether lists can be filtered.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimFilterSupport {
    /// Whether they can.
    pub supported: bool,
    /// Resources on a page at most.
    pub max_results: u64,
}

/// A way to show who one is.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimAuthenticationScheme {
    /// Its name for programs.
    #[schema(rename = "type")]
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where it is specified.
    pub spec_uri: String,
    /// Whether it is the usual one.
    pub primary: bool,
}

/// A kind of resource.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimResourceType {
    /// `urn:ietf:params:scim:schemas:core:2.0:ResourceType`
    pub schemas: Vec<String>,
    /// Its name.
    pub id: String,
    /// The same.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where its resources are, below the base.
    pub endpoint: String,
    /// The schema of its resources.
    pub schema: String,
    /// There are none.
    pub schema_extensions: Vec<Value>,
    /// Where it is.
    pub meta: ScimMeta,
}

/// The attributes of a kind of resource.
#[derive(Debug, ToSchema)]
pub struct ScimSchema {
    /// `urn:ietf:params:scim:schemas:core:2.0:Schema`
    pub schemas: Vec<String>,
    /// Its URN.
    pub id: String,
    /// The kind's name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// The attributes.
    pub attributes: Vec<ScimAttribute>,
    /// Where it is.
    pub meta: ScimMeta,
}

/// An attribute (RFC 7643, section 7).
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ScimAttribute {
    /// Its name.
    pub name: String,
    /// What its values are: `string`, `boolean`, `integer`, `reference` or `complex`.
    #[schema(rename = "type")]
    pub kind: String,
    /// Whether it may have several values.
    pub multi_valued: bool,
    /// What it is.
    pub description: String,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether letter case counts.
    pub case_exact: bool,
    /// `readOnly`, `immutable` or `readWrite`.
    pub mutability: String,
    /// `default`: it is shown unless the client asks for less.
    pub returned: String,
    /// `none`, or `server` where no two resources have the same value.
    pub uniqueness: String,
    /// Values that it usually has.
    #[schema(required = false)]
    pub canonical_values: Vec<String>,
    /// What it may refer to.
    #[schema(required = false)]
    pub reference_types: Vec<String>,
    /// The parts of a complex one.
    #[schema(required = false, no_recursion)]
    pub sub_attributes: Vec<ScimAttribute>,
}

/// A text; a number is read as the text that it is written as, and null as nothing.
#[derive(Debug)]
pub struct ScimText;

impl ToSchema for ScimText {}

impl PartialSchema for ScimText {
    fn schema() -> RefOr<Schema> {
        lenient(
            [Type::String, Type::Number, Type::Null],
            "A text; a number is read as the text that it is written as, and null as nothing",
        )
    }
}

/// A truth value, however it is written.
#[derive(Debug)]
pub struct ScimTruth;

impl ToSchema for ScimTruth {}

impl PartialSchema for ScimTruth {
    fn schema() -> RefOr<Schema> {
        lenient(
            [Type::Boolean, Type::String, Type::Number, Type::Null],
            "True or false, as such or as a text in any letter case, or 1 or 0; null says nothing",
        )
    }
}

fn lenient(types: impl IntoIterator<Item = Type>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).description(Some(description)).into()
}

fn schemas_of_users() -> RefOr<Schema> {
    only(USER_SCHEMA)
}

fn schemas_of_groups() -> RefOr<Schema> {
    only(GROUP_SCHEMA)
}

/// A list of this URN.
fn only(urn: &str) -> RefOr<Schema> {
    let urn = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([urn]));
    ArrayBuilder::new().items(urn).into()
}

fn attribute_names() -> RefOr<Schema> {
    either(
        [list(ScimText::schema()), ScimText::schema()],
        "Names of attributes, each in a text or with commas between them",
    )
}

fn emails() -> RefOr<Schema> {
    one_or_many(&ScimEmailRequest::schema(), "The addresses, or one alone, or a text that holds either as JSON")
}

fn members() -> RefOr<Schema> {
    one_or_many(&ScimMemberRequest::schema(), "The members, or one alone, or a text that holds either as JSON")
}

fn name() -> RefOr<Schema> {
    either([ScimNameRequest::schema(), text_or_null()], "The name, or a text that holds it as JSON")
}

fn operations() -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).into();
    either([list(ScimPatchOperation::schema()), text], "The operations, or a text that holds them as JSON")
}

fn one_or_many(one: &RefOr<Schema>, description: &str) -> RefOr<Schema> {
    let each = either([one.clone(), ScimText::schema()], "One of them, or its value alone");
    either([list(each), one.clone(), text_or_null()], description)
}

fn either(ways: impl IntoIterator<Item = RefOr<Schema>>, description: &str) -> RefOr<Schema> {
    ways.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item).description(Some(description)).into()
}

fn list(of: RefOr<Schema>) -> RefOr<Schema> {
    ArrayBuilder::new().items(of).into()
}

fn text_or_null() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])).into()
}

/// What a client asks for of a list. Names of parameters count in any letter case.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub struct ScimListQuery {
    /// What resources must be like; 8 KiB, 64 terms and 32 levels at most. A blank one is none.
    #[param(required = false, example = "userName eq \"jane\"")]
    pub filter: String,
    /// The place of the first resource of the page: 1 where it is not said, no number or below 1.
    #[param(required = false, default = 1)]
    pub start_index: i64,
    /// Resources on the page: 20 where it is not said or no number, 100 at most, and none from 0 down.
    #[param(required = false, default = 20)]
    pub count: i64,
    /// The attribute that orders them; one that does not is passed over.
    #[param(required = false, example = "userName")]
    pub sort_by: String,
    /// `descending`; anything else is ascending.
    #[param(required = false, default = "ascending")]
    pub sort_order: String,
}

/// What is shown of each resource: `schemas` and `id` always are.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase", style = Form)]
pub struct ScimProjectionQuery {
    /// The attributes to show, or parts of them; with commas between them.
    #[param(required = false, explode = false, example = json!(["userName", "emails.value"]))]
    pub attributes: Vec<String>,
    /// The attributes to leave out, or parts of them, where `attributes` names none.
    #[param(required = false, explode = false, example = json!(["members"]))]
    pub excluded_attributes: Vec<String>,
}

/// A user's id.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ScimUserPath {
    /// The identity provider's id of the user, in any letter case; it may have slashes.
    #[param(min_length = 1, max_length = 255, example = "test_uid")]
    pub id: String,
}

/// A group's id.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ScimGroupPath {
    /// The identity provider's id of the group.
    #[param(example = "d93d8b2e-4c8f-4d52-9b2c-7d3f3a1e1f00")]
    pub id: Uuid,
}

/// The versions that the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct ScimReadHeaders {
    /// Versions that the client has; of one of them it is told no more.
    #[param(required = false, rename = "If-None-Match")]
    pub if_none_match: String,
}

/// The versions that the client means to change.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct ScimChangeHeaders {
    /// Versions that the client means to change; a resource of another one stays as it is.
    #[param(required = false, rename = "If-Match")]
    pub if_match: String,
}
