//! `GET /verify_project_access`: may this agent read that project?

use axum::extract::State;
use axum::http::StatusCode;

use super::KubernetesState;
use super::project_info::find_readable;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;

/// 204 where it may.
///
/// # Errors
/// 404 where it may not, or there is no such project.
#[utoipa::path(
    get,
    path = "/kubernetes/verify_project_access",
    params(("id" = String, Query, description = "The project: its id or its full path")),
    responses((status = 204, description = "It may"))
)]
pub async fn verify(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    caller: AgentCaller,
    parameters: GrapeParameters,
) -> Result<StatusCode, ApiError> {
    find_readable(&state, caller.agent(), &parameters).await?;
    Ok(StatusCode::NO_CONTENT)
}
