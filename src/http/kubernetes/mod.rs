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
use secrecy::SecretString;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::agent::{self, AgentAuth};
use super::auth::kas::{self, KasAuth};
use super::grape;
use super::openapi::{self, RouteGroup, also_at};
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

/// Routes by who may call them.
struct KubernetesRoutes {
    /// kas alone.
    kas: OpenApiRouter<KubernetesState>,
    /// kas, for an agent.
    agents: OpenApiRouter<KubernetesState>,
}

fn routes() -> KubernetesRoutes {
    let kas = OpenApiRouter::new()
        .routes(routes!(agent_configuration::replace))
        .routes(routes!(agent_events::create))
        .routes(routes!(authorize_proxy_user::authorize))
        .routes(routes!(receptive_agents::list))
        .routes(routes!(usage_metrics::create));
    let agents = OpenApiRouter::new()
        .routes(also_at("/agents/agentk/agent_info", routes!(agent_info::show)))
        .routes(routes!(project_info::show))
        .routes(routes!(verify_project_access::verify))
        .routes(routes!(cilium_alert::create))
        .routes(routes!(starboard_vulnerability::put))
        .routes(routes!(scan_result::create))
        .routes(routes!(policies_configuration::list))
        .routes(routes!(scan_execution_policies::list));
    KubernetesRoutes { kas, agents }
}

const GROUP: RouteGroup = RouteGroup {
    tag: "kubernetes",
    security: &[&[openapi::KAS]],
    failures: openapi::PLAIN_FAILURES,
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: openapi::FORMS,
};

/// What the area's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let KubernetesRoutes { kas, agents } = routes();
    let agents = RouteGroup { security: &[&[openapi::KAS, openapi::AGENT]], ..GROUP }.on(agents);
    GROUP.on(kas).merge(agents).into_openapi()
}

/// The area's routes, below `/api/v4/internal`. A body is read first and refused where it cannot be, whoever sends it;
/// then kas must have signed the request, and then, where an agent asks, its token must be good (kas.md 1.4).
pub fn router(state: KubernetesState, auths: KubernetesAuths) -> Router {
    let body_bytes = state.settings.body_bytes;
    let KubernetesRoutes { kas, agents } = routes();
    kas.merge(agents.route_layer(from_fn_with_state(auths.agent, agent::require)))
        .route_layer(from_fn_with_state(auths.kas.clone(), kas::require))
        .route_layer(from_fn_with_state((auths.kas, body_bytes), grape::read::<KasAuth>))
        .with_state(state)
        .into()
}
