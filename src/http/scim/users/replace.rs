//! `PUT /Users/<id>`: the whole resource again, of which `active` and `externalId` can change.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;

use super::one::find;
use super::{failure, resource};
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::search::USER_SCHEMA;
use crate::domain::scim::user_change::ScimUserChange;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::{ScimError, attempt};
use crate::http::scim::schemas::{
    ScimChangeHeaders, ScimErrorResponse, ScimProjectionQuery, ScimUser, ScimUserPath, ScimUserRequest,
};
use crate::http::scim::{ScimState, projection_of, version};
use crate::services::change_scim_user::change_scim_user;

/// The whole user again, of which `active` and `externalId` can change.
///
/// What is left out stays as it is: a resource without `active` is no deactivation.
///
/// # Errors
/// 400 for what cannot be read, 404 for an unknown id, 409 and 412 for what the rules refuse.
#[utoipa::path(
    put,
    path = "/Users/{id}",
    params(ScimUserPath, ScimProjectionQuery, ScimChangeHeaders),
    request_body = ScimUserRequest,
    responses(
        (status = 200, body = ScimUser),
        (status = 409, description = "The id is another user's", body = ScimErrorResponse),
        (status = 412, description = "It has another version, or a rule stands against it", body = ScimErrorResponse)
    )
)]
pub async fn replace(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    let projection = projection_of(USER_SCHEMA, query.as_deref());
    let active = body::member(&fields, "active").map(body::active).transpose()?.flatten();
    let extern_uid = body::member(&fields, "externalId").and_then(body::text).filter(|text| !text.trim().is_empty());
    let change = ScimUserChange { active, extern_uid };
    let fields = Value::Object(fields);
    let refused =
        |name: &str, refusal: ScimRefusal| ScimError::of_rule(&attempt("updating", name, &fields), &refusal, true);
    let id = change_scim_user(&scim.db, caller.tenant(), &id, &version::expected(&headers), &change, scim.clock.now())
        .await
        .map_err(|error| failure::translate(error, &id, refused))?;
    Ok(resource::answer(&caller, &find(&scim, &caller, &id).await?, &projection, StatusCode::OK))
}
