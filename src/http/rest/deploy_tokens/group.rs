//! `/groups/:id/deploy_tokens`: tokens that open all projects below a group to deployments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::common;
use super::shape::{DeployTokenParameters, DeployTokenShape};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::store::deploy_tokens::DeployTokenOwner;

/// The group's deploy tokens.
#[utoipa::path(
    get,
    path = "/groups/{id}/deploy_tokens",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("active" = Option<bool>, Query, description = "Those alone that are good, or those that are not"),
        PageQuery
    ),
    responses((status = 200, body = Vec<DeployTokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ReadGroupDeployTokens)?;
    common::list(&state, DeployTokenOwner::Group(group.id), &params).await
}

/// A deploy token of the group.
#[utoipa::path(
    get,
    path = "/groups/{id}/deploy_tokens/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The token")
    ),
    responses((status = 200, body = DeployTokenShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    name: RowName,
) -> Result<Json<DeployTokenShape>, RestRefusal> {
    group.require(RestOperation::ReadGroupDeployTokens)?;
    common::show(&state, DeployTokenOwner::Group(group.id), &name).await
}

/// Makes a deploy token. This answer alone shows the token itself.
#[utoipa::path(
    post,
    path = "/groups/{id}/deploy_tokens",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(
        content = DeployTokenParameters,
        example = json!({ "name": "production", "scopes": ["read_repository"] })
    ),
    responses((status = 201, body = DeployTokenShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<(StatusCode, Json<DeployTokenShape>), RestRefusal> {
    group.require(RestOperation::ManageGroupDeployTokens)?;
    caller.no_bot()?;
    let change = state.change_in_group(&caller, &group);
    common::create(&state, &change, DeployTokenOwner::Group(group.id), &params).await
}

/// Removes a deploy token, which is refused from then on.
#[utoipa::path(
    delete,
    path = "/groups/{id}/deploy_tokens/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The token"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    group.require(RestOperation::ManageGroupDeployTokens)?;
    let change = state.change_in_group(&caller, &group);
    common::delete(&change, DeployTokenOwner::Group(group.id), &name, unmodified).await
}
