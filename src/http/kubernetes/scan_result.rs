//! `POST /modules/starboard_vulnerability/scan_result`: a scan is over, and these are all the findings that there were.

use axum::Json;
use axum::extract::State;
use utoipa::ToSchema;
use uuid::Uuid;

use super::KubernetesState;
use super::starboard_vulnerability::author;
use crate::http::auth::agent::AgentCaller;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter};
use crate::http::openapi::FailureResponse;
use crate::services::resolve_vulnerabilities;

/// Findings of a scan at most.
const MOST: usize = 100_000;

/// All that the scan has found.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ScanResultRequest {
    /// The ids of the findings.
    #[schema(max_items = 100_000)]
    uuids: Vec<String>,
}

/// Resolves what the agent has reported before and did not find again. What is no uuid, or none of the agent's, is
/// passed over. GitLab's body is the status, and so is this.
///
/// # Errors
/// 400 where the findings are not named; 404 and 403 as for a finding itself.
#[utoipa::path(
    post,
    path = "/kubernetes/modules/starboard_vulnerability/scan_result",
    request_body(
        content = ScanResultRequest,
        example = json!({ "uuids": ["4773b2ee-5ba5-5e9f-b48c-5f7a17f0faac"] })
    ),
    responses(
        (status = 200, body = u16, content_type = "application/json", example = 200),
        (status = 403, description = "Whoever made the agent may not manage vulnerabilities", body = FailureResponse)
    )
)]
pub async fn create(
    State(kubernetes): State<KubernetesState>,
    agent: AgentCaller,
    parameters: GrapeParameters,
) -> Result<Json<u16>, ApiError> {
    let uuids = parameters.read(|reader| {
        let uuids = reader.required_list::<String>("uuids", MOST);
        // GitLab takes null for an empty list, and an empty list resolves everything: nobody means that by null.
        if uuids == OptionalParameter::Null {
            reader.refuse("uuids", "is invalid");
        }
        uuids.value().unwrap_or_default()
    })?;
    let (reporter, author) = author(&kubernetes, &agent).await?;
    let found: Vec<Uuid> = uuids.iter().filter_map(|uuid| Uuid::parse_str(uuid).ok()).collect();
    let of = (reporter.project, agent.agent().id);
    let now = kubernetes.clock.now();
    let resolved = resolve_vulnerabilities::resolve(&kubernetes.db, of, &found, author, now).await?;
    if resolved > 0 {
        tracing::info!(
            agent.id = agent.agent().id.0,
            vulnerabilities = resolved,
            "resolved what a scan did not find again"
        );
    }
    Ok(Json(200))
}
