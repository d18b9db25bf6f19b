//! `/groups/:id/protected_branches`: which branches of all projects below a group not everybody may push to.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::branches::{self, ProtectedBranchChanges, ProtectedBranchParameters, ProtectedBranchShape};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::store::protections::ProtectionOwner;

/// The group's protected branches.
#[utoipa::path(
    get,
    path = "/groups/{id}/protected_branches",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("search" = Option<String>, Query, description = "What the name has in it"),
        PageQuery
    ),
    responses((status = 200, body = Vec<ProtectedBranchShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ProtectRefsOfGroup)?;
    branches::list_of(&state, ProtectionOwner::Group(group.id), &params).await
}

/// The group's rule about branches of that name.
#[utoipa::path(
    get,
    path = "/groups/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is")
    ),
    responses((status = 200, body = ProtectedBranchShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    RowName(name): RowName,
) -> Result<Json<ProtectedBranchShape>, RestRefusal> {
    group.require(RestOperation::ProtectRefsOfGroup)?;
    branches::shape_of(&state, ProtectionOwner::Group(group.id), &name).await.map(Json)
}

/// Protects branches of all projects below the group.
///
/// # Errors
/// 409 where there is a rule of that name, 422 where it names somebody who has no access.
#[utoipa::path(
    post,
    path = "/groups/{id}/protected_branches",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = ProtectedBranchParameters, example = json!({ "name": "main" })),
    responses(
        (status = 201, body = ProtectedBranchShape),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "There is a rule of that name"),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It names somebody without access")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<(StatusCode, Json<ProtectedBranchShape>), RestRefusal> {
    group.require(RestOperation::ProtectRefsOfGroup)?;
    let change = state.change_in_group(&caller, &group);
    branches::create_in(&state, &change, ProtectionOwner::Group(group.id), &params).await
}

/// Changes who may push to the branches, merge into them, or lift their protection.
///
/// # Errors
/// 422 where it names somebody who has no access.
#[utoipa::path(
    patch,
    path = "/groups/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is")
    ),
    request_body(content = ProtectedBranchChanges, example = json!({ "allow_force_push": true })),
    responses(
        (status = 200, body = ProtectedBranchShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It names somebody without access")
    )
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    RowName(name): RowName,
    params: RestParams,
) -> Result<Json<ProtectedBranchShape>, RestRefusal> {
    group.require(RestOperation::ProtectRefsOfGroup)?;
    let change = state.change_in_group(&caller, &group);
    branches::update_in(&state, &change, ProtectionOwner::Group(group.id), (&name, group.standing()), &params).await
}

/// Lifts the protection.
#[utoipa::path(
    delete,
    path = "/groups/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "No longer protected"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    RowName(name): RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    group.require(RestOperation::ProtectRefsOfGroup)?;
    let change = state.change_in_group(&caller, &group);
    branches::delete_in(&change, ProtectionOwner::Group(group.id), (&name, unmodified), group.standing()).await
}
