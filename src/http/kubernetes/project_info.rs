//! `GET /project_info`: where is the repository of a project that an agent wants to read?

use axum::Json;
use axum::extract::State;

use super::KubernetesState;
use super::repository::AgentRepositoryResponse;
use crate::domain::agent::ClusterAgent;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter};
use crate::store::agent_projects::{self, AgentProject, ProjectKey};

/// The repository of a project that the agent may read.
///
/// # Errors
/// 404 where it may not, or there is no such project.
#[utoipa::path(
    get,
    path = "/kubernetes/project_info",
    params(("id" = String, Query, description = "The project: its id or its full path")),
    responses((status = 200, body = AgentRepositoryResponse))
)]
pub async fn show(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    caller: AgentCaller,
    parameters: GrapeParameters,
) -> Result<Json<AgentRepositoryResponse>, ApiError> {
    let project = find_readable(&state, caller.agent(), &parameters).await?;
    Ok(Json(AgentRepositoryResponse::of(&state, project).await?))
}

/// The project that `id` names: the agent's own, whatever its visibility, or one that everybody may read. All others
/// look as if they did not exist (kas.md 2.2).
///
/// # Errors
/// 404 where there is none such.
pub async fn find_readable(
    state: &KubernetesState,
    agent: &ClusterAgent,
    parameters: &GrapeParameters,
) -> Result<AgentProject, ApiError> {
    // An id of any other type is none that a project has.
    let id = parameters.read(|reader| reader.optional::<String>("id")).unwrap_or(OptionalParameter::Absent);
    let key = id.value().as_deref().and_then(ProjectKey::parse).ok_or(ApiError::NotFound)?;
    let project = agent_projects::find(state.db.pool(), &key).await?.ok_or(ApiError::NotFound)?;
    let readable = project.id == agent.project || project.readable_by_everybody;
    if readable { Ok(project) } else { Err(ApiError::NotFound) }
}
