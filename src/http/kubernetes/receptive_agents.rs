//! `GET /receptive_agents`: which agents wait to be dialled by kas?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::KubernetesState;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;

/// The agents that kas dials.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceptiveAgentsResponse {
    #[schema(max_items = 0)]
    agents: [String; 0],
}

/// None: agents dial kas, and no state document says otherwise (kas.md 2.14).
///
/// # Errors
/// 404 where the installation is not licensed for such agents.
#[utoipa::path(
    get,
    path = "/kubernetes/receptive_agents",
    responses((status = 200, body = ReceptiveAgentsResponse, example = json!({ "agents": [] })))
)]
pub async fn list(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
) -> Result<Json<ReceptiveAgentsResponse>, ApiError> {
    if !state.settings.features.cluster_receptive_agents {
        return Err(ApiError::NotFound);
    }
    Ok(Json(ReceptiveAgentsResponse { agents: [] }))
}
