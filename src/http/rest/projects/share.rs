//! `/projects/{id}/share`: a project is shared with a group, or is not any more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::NamespaceId;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::groups::{ShareParameters, read_share};
use crate::http::rest::params::RestParams;
use crate::services::ServiceError;
use crate::services::share_with_group::{self, ShareRefusal, project_place};

/// A share of a project.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectShareResponse {
    id: i64,
    project_id: i64,
    group_id: i64,
    /// The most that its members get.
    group_access: i32,
    /// The day from which on it is over.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

/// Shares a project with a group, whose members get in.
#[utoipa::path(
    post,
    path = "/projects/{id}/share",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = ShareParameters, example = json!({ "group_id": 12, "group_access": 30 })),
    responses(
        (status = 201, body = ProjectShareResponse),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "It is shared with it already")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ChangeProject)?;
    let (with, grant) = params.read(read_share)?;
    let with = state.find_group(&caller, &with.to_string()).await.map_err(|refusal| match refusal {
        RestRefusal::NotFound(_) => RestRefusal::Hidden,
        refusal => refusal,
    })?;
    let standing = project.standing();
    if !standing.admin && grant.level > standing.level.0 {
        return Err(RestRefusal::Forbidden);
    }
    let place = project_place(project.id, project.project_namespace, &project.full_path);
    let shared = share_with_group::share(&state.db, &place, with.id, grant, &caller.acting(), state.clock.now()).await;
    let id = shared.map_err(|error| match error {
        ServiceError::Refused(ShareRefusal::SharedAlready) => {
            RestRefusal::Conflict("Group already shared with this group".to_owned())
        }
        error => error.into(),
    })?;
    let share = ProjectShareResponse {
        id,
        project_id: project.id.0,
        group_id: with.id.0,
        group_access: grant.level,
        expires_at: grant.expires_at.map(|day| day.to_string()),
    };
    Ok((StatusCode::CREATED, Json(share)).into_response())
}

/// Ends a share.
#[utoipa::path(
    delete,
    path = "/projects/{id}/share/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The id of the other group")
    ),
    responses((status = 204))
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    with: RowName,
) -> Result<StatusCode, RestRefusal> {
    project.require(RestOperation::ChangeProject)?;
    let with = with.id().ok_or_else(|| RestRefusal::Parameters("group_id is invalid".to_owned()))?;
    let place = project_place(project.id, project.project_namespace, &project.full_path);
    let by = caller.acting();
    share_with_group::unshare(&state.db, &place, NamespaceId(with), &by, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
