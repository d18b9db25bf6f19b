//! `GET /projects/{id}/storage`: where is the repository?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::entities::local_moment;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::store::repositories;
use crate::store::rest::projects as rows;

/// Where a repository is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StorageResponse {
    project_id: i64,
    /// The place in the storage, without `.git`.
    disk_path: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// The storage's name.
    repository_storage: String,
}

/// The storage of a project's repository, and its place there.
#[utoipa::path(
    get,
    path = "/projects/{id}/storage",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    responses((status = 200, body = StorageResponse))
)]
pub async fn show(
    State(state): State<RestState>,
    project: FoundProject,
    admin: RestAdmin,
) -> Result<Json<StorageResponse>, RestRefusal> {
    let gone = || RestRefusal::NotFound("Project");
    let places = repositories::find(state.db.pool(), project.id).await?.ok_or_else(gone)?;
    let today = state.clock.now().date_naive();
    let row = rows::list_shapes(state.db.pool(), &[project.id.0], admin.caller().id(), today).await?.pop();
    Ok(Json(StorageResponse {
        project_id: project.id.0,
        disk_path: places.disk_path,
        created_at: row.and_then(|row| row.created_at).map(local_moment),
        repository_storage: places.storage,
    }))
}
