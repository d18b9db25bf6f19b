//! `/projects/{id}/members`: the members of a project.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::place::{self, AddedMembers, MemberChanges, MemberListQuery, MemberParameters, PROJECT_LEVELS, Place};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::member::MemberShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::members::MemberSource;

fn source(project: &FoundProject) -> MemberSource {
    MemberSource::Project(project.id, project.project_namespace)
}

fn place_of(project: &FoundProject) -> Place<'_> {
    Place { source: source(project), path: &project.full_path, levels: PROJECT_LEVELS }
}

/// The project's own members.
#[utoipa::path(
    get,
    path = "/projects/{id}/members",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        MemberListQuery,
        PageQuery
    ),
    responses((status = 200, body = [MemberShape]))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    place::page(&state, &params, source(&project), false).await
}

/// All who are members of the project, be it by a group around it or by a share.
#[utoipa::path(
    get,
    path = "/projects/{id}/members/all",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        MemberListQuery,
        PageQuery
    ),
    responses((status = 200, body = [MemberShape]))
)]
pub async fn list_all(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    place::page(&state, &params, source(&project), true).await
}

/// One of the project's own members.
#[utoipa::path(
    get,
    path = "/projects/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    responses((status = 200, body = MemberShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    user: RowName,
) -> Result<Json<MemberShape>, RestRefusal> {
    place::show(&state, source(&project), place::named(&user)?, false).await.map(Json)
}

/// One of all who are members of the project.
#[utoipa::path(
    get,
    path = "/projects/{id}/members/all/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    responses((status = 200, body = MemberShape))
)]
pub async fn show_of_all(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    user: RowName,
) -> Result<Json<MemberShape>, RestRefusal> {
    place::show(&state, source(&project), place::named(&user)?, true).await.map(Json)
}

/// Makes a member of a user, or of several.
#[utoipa::path(
    post,
    path = "/projects/{id}/members",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = MemberParameters, example = json!({ "user_id": "7", "access_level": 30 })),
    responses(
        (status = 201, body = AddedMembers),
        (status = 405, body = crate::http::openapi::FailureResponse, description = "A group above locks its members"),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "The user is a member already")
    )
)]
pub async fn add(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ManageProjectMembers)?;
    place::add(&state, &caller, &place_of(&project), &params).await
}

/// Changes a membership.
#[utoipa::path(
    put,
    path = "/projects/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    request_body(content = MemberChanges, example = json!({ "access_level": 30 })),
    responses((status = 200, body = MemberShape))
)]
pub async fn change(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    user: RowName,
    params: RestParams,
) -> Result<Json<MemberShape>, RestRefusal> {
    project.require(RestOperation::ManageProjectMembers)?;
    place::change(&state, &caller, &place_of(&project), &user, &params).await
}

/// Ends a membership: others' by those who manage them, one's own by oneself.
#[utoipa::path(
    delete,
    path = "/projects/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The user's id"),
        ("skip_subresources" = Option<bool>, Query, description = "Whether memberships below stay")
    ),
    responses((status = 204))
)]
pub async fn remove(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    user: RowName,
    params: RestParams,
) -> Result<StatusCode, RestRefusal> {
    if user.id() != Some(caller.id().0) {
        project.require(RestOperation::ManageProjectMembers)?;
    }
    place::remove(&state, &caller, &place_of(&project), &user, &params).await
}
