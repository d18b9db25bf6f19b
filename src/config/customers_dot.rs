//! `gatehouse.customers_dot:`

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.customers_dot:`, CustomersDot that sells subscriptions and signs its requests.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CustomersDotSettings {
    /// Where CustomersDot is; it names its keys below `/.well-known/openid-configuration`. Null for no CustomersDot.
    #[schemars(regex(pattern = r"^https?://"), extend("examples" = ["https://customers.gitlab.com"]))]
    pub url: Option<String>,
    /// A file with CustomersDot's keys (a JSON Web Key Set), in place of asking CustomersDot for them.
    pub jwks_file: Option<PathBuf>,
    /// Seconds after which the keys are looked at again. A key that is not known is looked for sooner.
    #[schemars(range(min = 1, max = 86400))]
    pub refresh: u32,
}

impl Default for CustomersDotSettings {
    fn default() -> Self {
        Self { url: None, jwks_file: None, refresh: 3600 }
    }
}
