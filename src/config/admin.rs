//! `gatehouse.admin:`

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

/// `gatehouse.admin:`, the pages for administrators.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminSettings {
    /// The TCP address of the Admin area; null for none.
    #[schemars(with = "Option<String>", extend("examples" = ["127.0.0.1:3003"]))]
    pub listen: Option<SocketAddr>,
    /// The URL at which browsers reach the Admin area, where a proxy stands before it; null where they come to `listen`
    /// itself. Its path is `/`.
    #[schemars(extend("examples" = ["https://gatehouse-admin.example.com"]))]
    pub url: Option<String>,
}
