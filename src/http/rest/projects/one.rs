//! `/projects/{id}`: one project is shown, changed and deleted.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::{fields, refuse_unsupported};
use crate::domain::level::VisibilityLevel;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::layers::CorrelationId;
use crate::http::rest::RestState;
use crate::http::rest::entities::project::{ProjectExtras, ProjectShape};
use crate::http::rest::entities::settings::ProjectParameters;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::http::rest::groups::wish;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::delete_group_or_project::{self, DeletedBy, DeletionRefusal};
use crate::services::{ServiceError, update_project};

/// A project, and what the caller is to it.
#[utoipa::path(
    get,
    path = "/projects/{id}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("statistics" = Option<bool>, Query, description = "Whether sizes are shown, to those who may see them")
    ),
    responses((status = 200, body = ProjectShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Json<ProjectShape>, RestRefusal> {
    let statistics = params.read(|reader| reader.optional::<bool>("statistics").value() == Some(true))?;
    let extras = ProjectExtras { permissions: true, statistics };
    state.project_shape(&caller, project.id.0, extras).await.map(Json)
}

/// Changes a project: what is said of it, and no more.
#[utoipa::path(
    put,
    path = "/projects/{id}",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = ProjectParameters, example = json!({ "description": "What Acme builds" })),
    responses((status = 200, body = ProjectShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    Extension(CorrelationId(request)): Extension<CorrelationId>,
    params: RestParams,
) -> Result<Json<ProjectShape>, RestRefusal> {
    project.require(RestOperation::ChangeProject)?;
    let stated = params.read(|reader| {
        reader.at_least_one(&fields::names());
        fields::read(reader)
    })?;
    refuse_unsupported(&params)?;
    let visibility = stated.visibility.map(VisibilityLevel::from_level);
    if visibility.is_some_and(|level| level != project.visibility) {
        project.require(RestOperation::ChangeProjectVisibility)?;
    }
    let (by, now) = (caller.acting(), state.clock.now());
    update_project::update(&state.db, &state.gitaly, project.id, &stated, &by, &request, now).await?;
    state.project_shape(&caller, project.id.0, ProjectExtras::default()).await.map(Json)
}

/// Deletes a project, or marks it where the instance waits.
#[utoipa::path(
    delete,
    path = "/projects/{id}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("permanently_remove" = Option<bool>, Query, description = "Whether what is marked goes now"),
        ("full_path" = Option<String>, Query, description = "The full path, to be named with `permanently_remove`"),
        UnmodifiedSince
    ),
    responses((status = 202), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
    unmodified: UnmodifiedSince,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::DisposeOfProject)?;
    let (permanently, full_path) = params.read(|reader| {
        let permanently = reader.optional::<bool>("permanently_remove").value() == Some(true);
        (permanently, reader.optional::<String>("full_path").value())
    })?;
    unmodified.check(project.updated_at)?;
    let wish = wish(permanently, full_path.as_deref(), &project.full_path)?;
    let (by, now) = (caller.acting(), state.clock.now());
    delete_group_or_project::delete_project(&state.db, project.id, wish, &DeletedBy::User(&by), now)
        .await
        .map_err(refused)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "message": "202 Accepted" }))).into_response())
}

fn refused(error: ServiceError<DeletionRefusal>) -> RestRefusal {
    let bad = |sentence: &str| RestRefusal::Message(StatusCode::BAD_REQUEST, sentence.into());
    match error {
        ServiceError::Refused(DeletionRefusal::Gone) => RestRefusal::NotFound("Project"),
        ServiceError::Refused(DeletionRefusal::MarkedAlready) => bad("Project has been already marked for deletion"),
        ServiceError::Refused(DeletionRefusal::NotMarked) => bad("Project must be marked for deletion first."),
        error => error.into(),
    }
}
