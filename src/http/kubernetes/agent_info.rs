//! `GET /agent_info`: which agent is this, and where is its configuration?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::KubernetesState;
use super::repository::AgentRepositoryResponse;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::store::agent_projects::{self, ProjectKey};

/// The agent, and the repository of the project that configures it (kas.md 2.1).
#[derive(Debug, Serialize, ToSchema)]
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
#[utoipa::path(
    get,
    path = "/kubernetes/agent_info",
    responses((
        status = 200,
        body = AgentInfoResponse,
        example = json!({
            "agent_id": 1, "agent_name": "prod", "project_id": 3, "default_branch": "main",
            "gitaly_info": { "address": "tcp://127.0.0.1:8075", "token": null, "features": {} },
            "gitaly_repository": {
                "storage_name": "default",
                "relative_path": "@hashed/4e/07/4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce.git",
                "git_object_directory": "", "git_alternate_object_directories": [],
                "gl_repository": "project-3", "gl_project_path": "gnuwget/wget2"
            }
        })
    ))
)]
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
