//! `POST /Groups`: ties a group of the provider to the groups here whose SAML group link has its name.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{members, parse_uuid, require, resource, translate};
use crate::domain::scim::group::{GROUP_SCHEMA, ScimMemberChange};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::ScimError;
use crate::http::scim::schemas::{ScimErrorResponse, ScimGroup, ScimGroupRequest, ScimProjectionQuery};
use crate::http::scim::{ScimState, projection_of};
use crate::services::provision_scim_group::provision_scim_group;

/// Ties a group of the provider to the groups here whose SAML group link has its name.
///
/// The answer is the group afterwards, with the members that the request adds. To ask again is answered the same.
///
/// # Errors
/// 400 without a name, 409 where the id is that of a group of another name, 412 where no link has the name.
#[utoipa::path(
    post,
    path = "/Groups",
    params(ScimProjectionQuery),
    request_body = ScimGroupRequest,
    responses(
        (status = 201, body = ScimGroup),
        (status = 409, description = "The id is that of a group of another name", body = ScimErrorResponse),
        (
            status = 412,
            description = "The name is blank or no SAML group link has it, or the id is no UUID",
            body = ScimErrorResponse
        )
    )
)]
pub async fn create(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    RawQuery(query): RawQuery,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    require(&fields, &["displayName"])?;
    let refused = |detail: &str| ScimError::Refused(detail.to_owned());
    let name = body::member(&fields, "displayName").and_then(body::text).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| refused("Missing params: [:saml_group_name]"))?;
    let uid = match body::member(&fields, "externalId") {
        None => None,
        Some(id) => {
            let id = body::text(id).and_then(|id| parse_uuid(&id));
            Some(id.ok_or_else(|| refused("Invalid UUID for scim_group_uid"))?)
        }
    };
    let mut change = ScimMemberChange::default();
    change.add(members::parse_known_ids(body::member(&fields, "members").unwrap_or_default())?);
    let uid = provision_scim_group(&scim.db, &name, uid, &change).await.map_err(|error| translate(error, &name))?;
    let projection = projection_of(GROUP_SCHEMA, query.as_deref());
    resource::answer(&scim, &caller, uid, &projection, StatusCode::CREATED).await
}
