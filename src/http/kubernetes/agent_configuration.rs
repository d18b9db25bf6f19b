//! `POST /agent_configuration`: what an agent's configuration file opens it to.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::KubernetesState;
use crate::domain::ids::AgentId;
use crate::http::auth::kas::KasCaller;
use crate::http::error::ApiError;
use crate::http::grape::{GrapeParameters, OptionalParameter};
use crate::services::configure_agent;
use crate::store::agent_authorizations::{ConfigurationEntry, OpenedAccess};

/// Entries of one list that count; GitLab passes over the rest too.
const MOST_ENTRIES: usize = 500;

/// An agent and its configuration.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct AgentConfigurationRequest {
    /// The agent's id.
    agent_id: i64,
    /// Its `config.yaml` as JSON; of it, `ci_access` and `user_access` count.
    #[schema(value_type = Object)]
    agent_config: Map<String, Value>,
}

/// Makes the rows of the agent what its configuration says (kas.md 2.11).
///
/// # Errors
/// 400 where a parameter is wrong, 404 where there is no such agent.
#[utoipa::path(
    post,
    path = "/kubernetes/agent_configuration",
    request_body(
        content = AgentConfigurationRequest,
        example = json!({
            "agent_id": 1,
            "agent_config": { "ci_access": { "projects": [{ "id": "gnuwget/wget2" }] }, "user_access": null }
        })
    ),
    responses((status = 204, description = "The rows are what the configuration says"))
)]
pub async fn replace(
    State(state): State<KubernetesState>,
    _kas: KasCaller,
    parameters: GrapeParameters,
) -> Result<StatusCode, ApiError> {
    let (id, config) = parameters.read(|reader| {
        let id = reader.required::<i64>("agent_id").value();
        let config = reader.required::<Map<String, Value>>("agent_config");
        // Taken for an empty configuration, nothing would close all that is open.
        if config == OptionalParameter::Null {
            reader.refuse("agent_config", "is invalid");
        }
        (id, config.value().unwrap_or_default())
    })?;
    let opened = opened(&config);
    let id = id.ok_or(ApiError::NoSuchRecord)?;
    // kas sends a configuration once.
    let known = configure_agent::configure(&state.db, AgentId(id), &opened).await?;
    if known { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NoSuchRecord) }
}

fn opened(config: &Map<String, Value>) -> OpenedAccess {
    let section = |name: &str| config.get(name).and_then(Value::as_object);
    let (ci_access, user_access) = (section("ci_access"), section("user_access"));
    let user_config = match user_access.and_then(|section| section.get("access_as")) {
        Some(access_as) => json!({ "access_as": access_as }),
        None => json!({}),
    };
    let of_users = |name: &str| {
        let entries = entries(user_access, name);
        entries.into_iter().map(|entry| ConfigurationEntry { config: user_config.clone(), ..entry }).collect()
    };
    OpenedAccess {
        ci_projects: entries(ci_access, "projects"),
        ci_groups: entries(ci_access, "groups"),
        user_projects: of_users("projects"),
        user_groups: of_users("groups"),
    }
}

/// The entries of a list that name something; what else they say is their configuration.
fn entries(section: Option<&Map<String, Value>>, name: &str) -> Vec<ConfigurationEntry> {
    let list = section.and_then(|section| section.get(name)).and_then(Value::as_array);
    let entries = list.into_iter().flatten().take(MOST_ENTRIES).filter_map(|entry| {
        let mut config = entry.as_object()?.clone();
        let path = config.remove("id")?.as_str()?.to_owned();
        Some(ConfigurationEntry { path, config: Value::Object(config) })
    });
    entries.collect()
}
