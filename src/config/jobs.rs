//! `gatehouse.jobs:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.jobs:`, the queue and those who work on it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// Jobs that this server works on at once, deliveries to web hooks aside; 0 leaves all work to other servers.
    #[schemars(range(min = 0, max = 256))]
    pub concurrency: u16,
    /// Seconds without a sign of life after which a server counts as dead, and others take over its jobs.
    #[schemars(range(min = 1, max = 3600))]
    pub takeover_timeout: u32,
    /// Days that a job which has failed for good is kept for an operator to look at.
    #[schemars(range(min = 1, max = 3650))]
    pub keep_dead: u32,
}

impl Default for QueueSettings {
    fn default() -> Self {
        Self { concurrency: 4, takeover_timeout: 10, keep_dead: 14 }
    }
}
