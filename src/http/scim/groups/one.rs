//! `GET /Groups/{id}`: one group with its members.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{parse_uid, resource};
use crate::domain::scim::group::GROUP_SCHEMA;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::schemas::{ScimErrorResponse, ScimGroup, ScimGroupPath, ScimProjectionQuery, ScimReadHeaders};
use crate::http::scim::{ScimState, projection_of, version};
use crate::store::scim_groups;

/// One group with its members.
///
/// # Errors
/// 404 where no link has the id.
#[utoipa::path(
    get,
    path = "/Groups/{id}",
    params(ScimGroupPath, ScimProjectionQuery, ScimReadHeaders),
    responses(
        (status = 200, body = ScimGroup),
        (status = 304, description = "The client has that version"),
        (status = 400, description = "There are more members than one answer holds", body = ScimErrorResponse)
    )
)]
pub async fn get(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    let group = scim_groups::find(scim.db.pool(), parse_uid(&id)?).await?.ok_or(ScimError::NoSuchGroup(id))?;
    if let Some(answer) = version::not_modified(&headers, group.updated_at) {
        return Ok(answer);
    }
    let projection = projection_of(GROUP_SCHEMA, query.as_deref());
    resource::answer_with(&scim, &caller, group, &projection, StatusCode::OK).await
}
