//! `DELETE /Groups/{id}`: unties a group of the provider from the groups here, whose members keep what they have.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::{parse_uid, translate};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::schemas::{ScimChangeHeaders, ScimErrorResponse, ScimGroupPath};
use crate::http::scim::{ScimState, no_content, version};
use crate::services::delete_scim_group::delete_scim_group;

/// Unties a group of the provider from the groups here, whose members keep what they have.
///
/// # Errors
/// 404 where no link has the id.
#[utoipa::path(
    delete,
    path = "/Groups/{id}",
    params(ScimGroupPath, ScimChangeHeaders),
    responses(
        (status = 204, description = "It is done"),
        (status = 412, description = "It has another version", body = ScimErrorResponse)
    )
)]
pub async fn delete(
    State(scim): State<ScimState>,
    _caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    delete_scim_group(&scim.db, parse_uid(&id)?, &version::expected(&headers))
        .await
        .map_err(|error| translate(error, &id))?;
    Ok(no_content())
}
