//! `GET /agent_info`: which agent is this, and where is its configuration?

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::KubernetesState;
use super::repository::AgentRepositoryResponse;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::store::agent_projects::{self, ProjectKey};

/// The agent, and the repository of the project that configures it (kas.md 2.1).
#[derive(Debug, Serialize)]
pub struct AgentInfoResponse {
    agent_id: i64,
    agent_name: String,
    #[serde(flatten)]
    repository: AgentRepositoryResponse,
}

/// The agent whose token the request carries.
///
/// # Errors
/// 404 where its project is about to be removed.
pub async fn show(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    caller: AgentCaller,
) -> Result<Json<AgentInfoResponse>, ApiError> {
    let agent = caller.agent();
    let project = agent_projects::find(state.db.pool(), &ProjectKey::Id(agent.project.0)).await?;
    let repository = AgentRepositoryResponse::of(&state, project.ok_or(ApiError::NotFound)?).await?;
    Ok(Json(AgentInfoResponse { agent_id: agent.id.0, agent_name: agent.name.clone(), repository }))
}
