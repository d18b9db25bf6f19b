//! `GET /receptive_agents`: which agents wait to be dialled by kas?

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::KubernetesState;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;

/// None: agents dial kas, and no state document says otherwise (kas.md 2.14).
///
/// # Errors
/// 404 where the installation is not licensed for such agents.
pub async fn list(State(state): State<KubernetesState>, _kas: KasCaller) -> Result<Json<Value>, ApiError> {
    if !state.settings.features.cluster_receptive_agents {
        return Err(ApiError::NotFound);
    }
    Ok(Json(json!({ "agents": [] })))
}
