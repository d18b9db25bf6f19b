//! The area of kas, the agent server for Kubernetes, below `/api/v4/internal/kubernetes` (kas.md).

mod agent_configuration;
mod agent_events;
mod agent_info;
mod authorize_proxy_user;
mod cilium_alert;
mod etag;
mod policies_configuration;
mod project_info;
mod receptive_agents;
mod repository;
mod scan_execution_policies;
mod scan_result;
mod starboard_vulnerability;
mod usage_metrics;
mod verify_project_access;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use secrecy::SecretString;

use super::auth::agent::{self, AgentAuth};
use super::auth::kas::{self, KasAuth};
use super::grape;
use super::storage::StorageAddresses;
use crate::background::kas_usage_batcher::KasUsageBatcher;
use crate::background::last_used::LastUsedWriter;
use crate::clock::Clock;
use crate::config::{KasSettings, LicensedFeatures};
use crate::gitaly::GitalyClient;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct KubernetesState {
    /// The database.
    pub db: Db,
    /// The repositories, where no table knows their default branch.
    pub gitaly: GitalyClient,
    /// Where kas's counts are left.
    pub usage: KasUsageBatcher,
    /// Notes of whose token was used.
    pub last_used: LastUsedWriter,
    /// The clock.
    pub clock: Clock,
    /// The area's settings.
    pub settings: Arc<KubernetesSettings>,
}

/// What the area's handlers need to know of the installation.
#[derive(Debug)]
pub struct KubernetesSettings {
    /// The installation's URL.
    pub url: String,
    /// The Gitaly of each storage.
    pub storages: StorageAddresses,
    /// What the installation is licensed for.
    pub features: LicensedFeatures,
    /// What agents may report.
    pub kas: KasSettings,
    /// What tokens of users are salted with.
    pub db_key_base: SecretString,
    /// Bytes of a body.
    pub body_bytes: usize,
}

/// Who may call: kas, and agents through it.
#[derive(Clone)]
pub struct KubernetesAuths {
    /// kas.
    pub kas: KasAuth,
    /// Agents.
    pub agent: AgentAuth,
}

/// The area's routes, below `/api/v4/internal`. A body is read first and refused where it cannot be, whoever sends it;
/// then kas must have signed the request, and then, where an agent asks, its token must be good (kas.md 1.4).
pub fn router(state: KubernetesState, auths: KubernetesAuths) -> Router {
    let body_bytes = state.settings.body_bytes;
    let agents = Router::new()
        .route("/agents/agentk/agent_info", get(agent_info::show))
        .route("/kubernetes/agent_info", get(agent_info::show))
        .route("/kubernetes/project_info", get(project_info::show))
        .route("/kubernetes/verify_project_access", get(verify_project_access::verify))
        .route("/kubernetes/modules/cilium_alert", post(cilium_alert::create))
        .route("/kubernetes/modules/starboard_vulnerability", put(starboard_vulnerability::put))
        .route("/kubernetes/modules/starboard_vulnerability/scan_result", post(scan_result::create))
        .route("/kubernetes/modules/starboard_vulnerability/policies_configuration", get(policies_configuration::list))
        .route(
            "/kubernetes/modules/starboard_vulnerability/scan_execution_policies",
            get(scan_execution_policies::list),
        )
        .route_layer(from_fn_with_state(auths.agent, agent::require));
    Router::new()
        .route("/kubernetes/agent_configuration", post(agent_configuration::replace))
        .route("/kubernetes/agent_events", post(agent_events::create))
        .route("/kubernetes/authorize_proxy_user", post(authorize_proxy_user::authorize))
        .route("/kubernetes/receptive_agents", get(receptive_agents::list))
        .route("/kubernetes/usage_metrics", post(usage_metrics::create))
        .merge(agents)
        .route_layer(from_fn_with_state(auths.kas.clone(), kas::require))
        .route_layer(from_fn_with_state((auths.kas, body_bytes), grape::read::<KasAuth>))
        .with_state(state)
}
