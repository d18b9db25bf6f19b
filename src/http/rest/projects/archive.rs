//! `POST /projects/{id}/archive` and `/unarchive`: nobody pushes, or they do again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::project::{ProjectExtras, ProjectShape};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::services::update_project;

/// Archives a project; again, too.
#[utoipa::path(
    post,
    path = "/projects/{id}/archive",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    responses((status = 201, body = ProjectShape))
)]
pub async fn archive(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
) -> Result<Response, RestRefusal> {
    set(&state, &caller, &project, true).await
}

/// Takes a project out of the archive; again, too.
#[utoipa::path(
    post,
    path = "/projects/{id}/unarchive",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    responses((status = 201, body = ProjectShape))
)]
pub async fn unarchive(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
) -> Result<Response, RestRefusal> {
    set(&state, &caller, &project, false).await
}

async fn set(
    state: &RestState,
    caller: &RestCaller,
    project: &FoundProject,
    archived: bool,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::DisposeOfProject)?;
    update_project::archive(&state.db, project.id, archived, &caller.acting(), state.clock.now()).await?;
    let shape = state.project_shape(caller, project.id.0, ProjectExtras::default()).await?;
    Ok((StatusCode::CREATED, Json(shape)).into_response())
}
