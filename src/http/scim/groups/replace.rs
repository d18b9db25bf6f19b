//! `PUT /Groups/{id}`: the whole group again, of which the members can change.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{members, parse_uid, require, resource, translate};
use crate::domain::scim::group::{GROUP_SCHEMA, ScimMemberChange};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::ScimError;
use crate::http::scim::projection::AttributeProjection;
use crate::http::scim::schemas::{
    ScimChangeHeaders, ScimErrorResponse, ScimGroup, ScimGroupPath, ScimGroupReplaceRequest, ScimProjectionQuery,
};
use crate::http::scim::{ScimState, projection_of, version};
use crate::services::change_scim_group::change_scim_group;

/// The whole group again, of which the members can change.
///
/// The answer is the group without its members, unless the client asks for them. A group without `members` has none.
///
/// # Errors
/// 400 for what is missing or cannot be read, 404 for an unknown id.
#[utoipa::path(
    put,
    path = "/Groups/{id}",
    params(ScimGroupPath, ScimProjectionQuery, ScimChangeHeaders),
    request_body = ScimGroupReplaceRequest,
    responses(
        (status = 200, body = ScimGroup),
        (status = 412, description = "It has another version", body = ScimErrorResponse)
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
    require(&fields, &["schemas", "displayName"])?;
    let mut replaced = ScimMemberChange::default();
    replaced.replace(members::parse_ids(body::member(&fields, "members").unwrap_or_default())?);
    let uid = parse_uid(&id)?;
    change_scim_group(&scim.db, uid, &version::expected(&headers), &replaced)
        .await
        .map_err(|error| translate(error, &id))?;
    let asked = projection_of(GROUP_SCHEMA, query.as_deref());
    let projection = if asked.is_asked_for() { asked } else { AttributeProjection::new(GROUP_SCHEMA, [], ["members"]) };
    resource::answer(&scim, &caller, uid, &projection, StatusCode::OK).await
}
