//! `gatehouse.kas:`

use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

/// `gatehouse.kas:`, what agents of Kubernetes clusters may report.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KasSettings {
    /// Vulnerabilities that a project may have at most.
    #[schemars(range(min = 1))]
    pub vulnerabilities_per_project: u32,
    /// What the ids of findings are made in. The default is GitLab's own: the same finding has the same id there.
    #[schemars(
        with = "String",
        regex(pattern = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
        extend("examples" = ["58dc0f06-936c-43b3-93bb-71693f1b6570"])
    )]
    pub vulnerability_namespace: Uuid,
}

impl Default for KasSettings {
    fn default() -> Self {
        Self {
            vulnerabilities_per_project: 1_000_000,
            vulnerability_namespace: uuid::uuid!("58dc0f06-936c-43b3-93bb-71693f1b6570"),
        }
    }
}
