//! `rack_attack:`, who guesses passwords.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::limits::networks;

/// `rack_attack:`, who guesses passwords.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RackAttackSettings {
    /// Of git over HTTP.
    pub git_basic_auth: GitBasicAuthSettings,
}

/// `rack_attack.git_basic_auth:`, addresses that show too many wrong credentials for git over HTTP.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GitBasicAuthSettings {
    /// Whether they are shut out for a while.
    pub enabled: bool,
    /// Addresses, or networks, that never are.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", extend("examples" = [["10.0.0.0/8"]]))]
    pub ip_whitelist: Vec<IpNet>,
    /// So many wrong credentials
    #[schemars(range(min = 1, max = 100_000))]
    pub maxretry: u32,
    /// within so many seconds
    #[schemars(range(min = 1, max = 86_400))]
    pub findtime: u32,
    /// shut an address out for so many seconds.
    #[schemars(range(min = 1, max = 31_536_000))]
    pub bantime: u32,
}

impl Default for GitBasicAuthSettings {
    fn default() -> Self {
        let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        Self {
            enabled: true,
            ip_whitelist: loopback.map(IpNet::from).to_vec(),
            maxretry: 10,
            findtime: 60,
            bantime: 3600,
        }
    }
}
