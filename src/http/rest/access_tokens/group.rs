//! `/groups/:id/access_tokens`: tokens of a group, each with a bot that is a member of it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::common;
use super::shape::{AccessTokenParameters, AccessTokenShape, RotationParameters};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::issue_access_token::TokenPlace;

/// The group's tokens, the newest first; those that have ended are listed for a month.
#[utoipa::path(
    get,
    path = "/groups/{id}/access_tokens",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("state" = Option<String>, Query, description = "`active` or `inactive`"),
        PageQuery
    ),
    responses((status = 200, body = Vec<AccessTokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    may_see(&group)?;
    common::list(&state, place(&group), &params).await
}

/// A token of the group.
#[utoipa::path(
    get,
    path = "/groups/{id}/access_tokens/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The token")
    ),
    responses((status = 200, body = AccessTokenShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    name: RowName,
) -> Result<Json<AccessTokenShape>, RestRefusal> {
    may_see(&group)?;
    common::show(&state, place(&group), &name).await
}

/// Makes a token of the group, with a bot. This answer alone shows the token itself.
///
/// # Errors
/// 422 for an end that is too late.
#[utoipa::path(
    post,
    path = "/groups/{id}/access_tokens",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(
        content = AccessTokenParameters,
        example = json!({ "name": "ci", "scopes": ["read_repository"], "access_level": 20 })
    ),
    responses(
        (status = 201, body = AccessTokenShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "The end is too late")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<(StatusCode, Json<AccessTokenShape>), RestRefusal> {
    let allowed = OPERATION.allows(group.standing());
    let change = state.change_in_group(&caller, &group);
    common::create(&state, &change, place(&group), (&caller, group.standing(), allowed), &params).await
}

/// Puts a new token in the place of one, which is revoked. This answer alone shows the token itself.
///
/// # Errors
/// 422 for an end that is too late.
#[utoipa::path(
    post,
    path = "/groups/{id}/access_tokens/{key}/rotate",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = String, Path, description = "The token, or `self` for the one that this request is made with")
    ),
    request_body(content = RotationParameters, example = json!({ "expires_at": "2027-01-01" })),
    responses(
        (status = 200, body = AccessTokenShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "The end is too late")
    )
)]
pub async fn rotate(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    params: RestParams,
) -> Result<Json<AccessTokenShape>, RestRefusal> {
    let allowed = OPERATION.allows(group.standing());
    let change = state.change_in_group(&caller, &group);
    let who = (&caller, group.standing(), allowed);
    common::rotate(&state, &change, (place(&group), &name), who, &params).await
}

/// Takes a token of the group back.
#[utoipa::path(
    delete,
    path = "/groups/{id}/access_tokens/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The token"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "The token is revoked"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    if !OPERATION.allows(group.standing()) {
        return Err(RestRefusal::BadRequest("Not permitted to revoke".to_owned()));
    }
    let change = state.change_in_group(&caller, &group);
    common::revoke(&change, place(&group), &name, unmodified).await
}

const OPERATION: RestOperation = RestOperation::ManageGroupAccessTokens;

/// Tokens are nobody's business who may not make them.
fn may_see(group: &FoundGroup) -> Result<(), RestRefusal> {
    if OPERATION.allows(group.standing()) { Ok(()) } else { Err(RestRefusal::Unauthorized) }
}

fn place(group: &FoundGroup) -> TokenPlace {
    TokenPlace::Group(group.id)
}
