//! `gatehouse.tracing:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.tracing:`, traces of requests and of what they lead to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TracingSettings {
    /// The collector that takes traces by OTLP over gRPC. Null for no traces.
    #[schemars(regex(pattern = r"^https?://[^/]+/?$"), extend("examples" = ["http://127.0.0.1:4317"]))]
    pub endpoint: Option<String>,
    /// The share of traces that are taken, from 0 to 1. A request that says by `traceparent` whether its trace is taken
    /// is followed in that.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
}

impl Default for TracingSettings {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 1.0 }
    }
}
