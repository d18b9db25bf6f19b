//! `/projects/:id/deploy_tokens`: tokens that open a project to deployments.

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
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::store::deploy_tokens::DeployTokenOwner;

/// The project's deploy tokens.
#[utoipa::path(
    get,
    path = "/projects/{id}/deploy_tokens",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("active" = Option<bool>, Query, description = "Those alone that are good, or those that are not"),
        PageQuery
    ),
    responses((status = 200, body = Vec<DeployTokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ManageProjectDeployTokens)?;
    common::list(&state, DeployTokenOwner::Project(project.id), &params).await
}

/// A deploy token of the project.
#[utoipa::path(
    get,
    path = "/projects/{id}/deploy_tokens/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The token")
    ),
    responses((status = 200, body = DeployTokenShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    name: RowName,
) -> Result<Json<DeployTokenShape>, RestRefusal> {
    project.require(RestOperation::ManageProjectDeployTokens)?;
    common::show(&state, DeployTokenOwner::Project(project.id), &name).await
}

/// Makes a deploy token. This answer alone shows the token itself.
#[utoipa::path(
    post,
    path = "/projects/{id}/deploy_tokens",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(
        content = DeployTokenParameters,
        example = json!({ "name": "production", "scopes": ["read_repository"] })
    ),
    responses((status = 201, body = DeployTokenShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<DeployTokenShape>), RestRefusal> {
    project.require(RestOperation::ManageProjectDeployTokens)?;
    caller.no_bot()?;
    let change = state.change_in_project(&caller, &project);
    common::create(&state, &change, DeployTokenOwner::Project(project.id), &params).await
}

/// Removes a deploy token, which is refused from then on.
#[utoipa::path(
    delete,
    path = "/projects/{id}/deploy_tokens/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The token"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    project.require(RestOperation::ManageProjectDeployTokens)?;
    let change = state.change_in_project(&caller, &project);
    common::delete(&change, DeployTokenOwner::Project(project.id), &name, unmodified).await
}
