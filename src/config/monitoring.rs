//! `monitoring:`, who may ask how this server is.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::limits::networks;

/// `monitoring:`, who may ask how this server is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MonitoringSettings {
    /// Addresses, or networks, that are told it where clients are answered too, below `/-/`. To others there is nothing.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", extend("examples" = [["10.0.0.0/8"]]))]
    pub ip_whitelist: Vec<IpNet>,
}

impl Default for MonitoringSettings {
    fn default() -> Self {
        let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
        Self { ip_whitelist: loopback.map(|(address, prefix)| IpNet::new_assert(address, prefix)).to_vec() }
    }
}
