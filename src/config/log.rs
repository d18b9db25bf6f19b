//! `gatehouse.log:`

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.log:`, what is logged and how.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// Lines for people, or one JSON object a line.
    pub format: LogFormat,
    /// The least level logged, or a filter such as `info,sqlx=warn`.
    #[schemars(length(min = 1), extend("examples" = ["info"]))]
    pub level: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

/// The two shapes of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
