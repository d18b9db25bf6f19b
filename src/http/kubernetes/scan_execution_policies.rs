//! `GET /modules/starboard_vulnerability/scan_execution_policies`: the policies themselves.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::KubernetesState;
use super::etag::tagged;
use super::policies_configuration::applicable;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::openapi::FailureResponse;

/// All policies that apply to the agent's project, switched on or not (kas.md 5.3).
#[derive(Debug, Serialize, ToSchema)]
pub struct PoliciesResponse {
    policies: Vec<PolicyResponse>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PolicyResponse {
    name: String,
    description: Option<String>,
    enabled: bool,
    yaml: String,
    updated_at: String,
}

/// The policies, the nearest first.
///
/// # Errors
/// 402 where the installation is not licensed for policies, 404 where the project is about to be removed.
#[utoipa::path(
    get,
    path = "/kubernetes/modules/starboard_vulnerability/scan_execution_policies",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer")),
    responses(
        (status = 200, body = PoliciesResponse, headers(("ETag" = String)), example = json!({ "policies": [] })),
        (status = 304, description = "It is what `If-None-Match` names"),
        (status = 402, description = "The installation is not licensed for policies", body = FailureResponse)
    )
)]
pub async fn list(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    caller: AgentCaller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut policies = Vec::new();
    for (policy, updated_at) in applicable(&state, caller.agent()).await? {
        policies.push(PolicyResponse {
            yaml: policy.to_yaml().map_err(|error| ApiError::Internal(error.into()))?,
            name: policy.name,
            description: policy.description,
            enabled: policy.enabled,
            updated_at,
        });
    }
    tagged(&headers, &PoliciesResponse { policies })
}
