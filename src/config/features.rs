//! `gatehouse.features:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.features:`, licensed features by GitLab's names for them.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct LicensedFeatures {
    /// Agents report vulnerabilities.
    pub security_dashboard: bool,
    /// Policies say when agents scan.
    pub security_orchestration_policies: bool,
    /// Agents report alerts.
    pub cilium_alerts: bool,
    /// Clusters take users for themselves, not for the agent.
    pub cluster_agents_user_impersonation: bool,
    /// kas dials agents.
    pub cluster_receptive_agents: bool,
}

impl Default for LicensedFeatures {
    fn default() -> Self {
        Self {
            security_dashboard: true,
            security_orchestration_policies: true,
            cilium_alerts: true,
            cluster_agents_user_impersonation: true,
            cluster_receptive_agents: true,
        }
    }
}
