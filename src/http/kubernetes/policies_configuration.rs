//! `GET /modules/starboard_vulnerability/policies_configuration`: when does the agent scan which namespaces?

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::KubernetesState;
use super::etag::tagged;
use crate::domain::agent::ClusterAgent;
use crate::http::auth::agent::AgentCaller;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::openapi::FailureResponse;
use crate::security_policies::{self, ScanPolicy};
use crate::store::{agent_projects, security_policies as files};

/// The scans that policies schedule for the agent (kas.md 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationsResponse {
    configurations: Vec<PoliciesConfiguration>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PoliciesConfiguration {
    cadence: String,
    namespaces: Vec<String>,
    updated_at: String,
}

/// One element per rule that schedules a scan of containers for the agent. agentk takes the first.
///
/// # Errors
/// 402 where the installation is not licensed for policies, 404 where the project is about to be removed.
#[utoipa::path(
    get,
    path = "/kubernetes/modules/starboard_vulnerability/policies_configuration",
    params(("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer")),
    responses(
        (status = 200, body = ConfigurationsResponse, headers(("ETag" = String)), example = json!({ "configurations": [] })),
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
    let agent = caller.agent();
    let mut configurations = Vec::new();
    for (policy, updated_at) in applicable(&state, agent).await? {
        for (cadence, namespaces) in policy.container_scans_of(&agent.name) {
            configurations.push(PoliciesConfiguration { cadence, namespaces, updated_at: updated_at.clone() });
        }
    }
    tagged(&headers, &ConfigurationsResponse { configurations })
}

/// The policies that apply to the agent's project, the nearest first, and when their file was changed.
///
/// # Errors
/// 402 where the installation is not licensed for policies, 404 where the project is about to be removed.
pub async fn applicable(state: &KubernetesState, agent: &ClusterAgent) -> Result<Vec<(ScanPolicy, String)>, ApiError> {
    if !agent_projects::exists(state.db.pool(), agent.project).await? {
        return Err(ApiError::NotFound);
    }
    if !state.settings.features.security_orchestration_policies {
        return Err(ApiError::Refused(StatusCode::PAYMENT_REQUIRED, "Payment Required".to_owned()));
    }
    let mut policies = Vec::new();
    for file in files::list_applicable(state.db.pool(), agent.project).await? {
        let updated_at = file.updated_at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string();
        // Files are checked before they are stored; one that another program has written may be anything, and says
        // nothing then, as in GitLab.
        match security_policies::parse(&file.yaml) {
            Ok(read) => policies.extend(read.into_iter().map(|policy| (policy, updated_at.clone()))),
            Err(error) => tracing::warn!(%error, project.id = agent.project.0, "a file of policies is passed over"),
        }
    }
    Ok(policies)
}
