//! `DELETE /Users/<id>`: deprovisions the user, and keeps the identity, so that they can be provisioned again.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::failure;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::domain::scim::user_change::ScimUserChange;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::schemas::{ScimChangeHeaders, ScimErrorResponse, ScimUserPath};
use crate::http::scim::{ScimState, no_content, version};
use crate::services::change_scim_user::change_scim_user;

/// Deprovisions a user, and keeps the identity, so that they can be provisioned again.
///
/// It is what `PATCH` with `active` false does.
///
/// # Errors
/// 404 for an unknown id, 412 for the last owner of the group.
#[utoipa::path(
    delete,
    path = "/Users/{id}",
    params(ScimUserPath, ScimChangeHeaders),
    responses(
        (status = 204, description = "It is done"),
        (status = 412, description = "It has another version, or is the last owner", body = ScimErrorResponse)
    )
)]
pub async fn delete(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    let change = ScimUserChange { active: Some(false), extern_uid: None };
    let refused = |name: &str, refusal: ScimRefusal| match (refusal, caller.tenant()) {
        (ScimRefusal::LastOwner, ScimTenant::Group(group)) => ScimError::LastOwner(name.to_owned(), group.name.clone()),
        (refusal, _) => ScimError::of_rule(&format!("Error removing {name}"), &refusal, false),
    };
    change_scim_user(&scim.db, caller.tenant(), &id, &version::expected(&headers), &change, scim.clock.now())
        .await
        .map_err(|error| failure::translate(error, &id, refused))?;
    Ok(no_content())
}
