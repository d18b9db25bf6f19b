//! `PUT /projects/{id}/transfer`: a project moves to another namespace.

use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;

use crate::domain::ids::NamespaceId;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::project::{ProjectExtras, ProjectShape};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::http::rest::params::RestParams;
use crate::services::update_project;
use crate::store::rest::RestName;
use crate::store::rest::projects as rows;

/// Where a project is to go.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProjectTransferParameters {
    /// The namespace: its id or its full path.
    namespace: String,
}

/// Moves a project to a namespace in which the caller may make projects.
#[utoipa::path(
    put,
    path = "/projects/{id}/transfer",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = ProjectTransferParameters, example = json!({ "namespace": "acme/sub" })),
    responses((status = 200, body = ProjectShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Json<ProjectShape>, RestRefusal> {
    project.require(RestOperation::DisposeOfProject)?;
    let named = params.read(|reader| reader.required::<String>("namespace").value().unwrap_or_default())?;
    let to = namespace(&state, &caller, &named).await?;
    let (mover, by, now) = (state.creator(&caller), caller.acting(), state.clock.now());
    update_project::transfer(&state.db, project.id, to, mover, &by, now).await?;
    state.project_shape(&caller, project.id.0, ProjectExtras::default()).await.map(Json)
}

/// The namespace of that id or path: a group that the caller sees, or a personal one of theirs.
async fn namespace(state: &RestState, caller: &RestCaller, named: &str) -> Result<NamespaceId, RestRefusal> {
    match state.find_group(caller, named).await {
        Ok(group) => return Ok(group.id),
        Err(RestRefusal::NotFound(_)) => {}
        Err(refusal) => return Err(refusal),
    }
    let gone = || RestRefusal::NotFound("Namespace");
    let name = RestName::parse(named).ok_or_else(gone)?;
    let owner = (!caller.is_admin()).then(|| caller.id());
    rows::find_personal_namespace(state.db.pool(), &name, owner).await?.ok_or_else(gone)
}
