//! `gatehouse.limits:`

use std::net::IpAddr;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::Deserializer;
use serde::de::Error as _;

/// `gatehouse.limits:`, the bounds of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Bytes of a request's body at most, where `push_body_bytes` does not apply.
    #[schemars(range(min = 1024))]
    pub body_bytes: usize,
    /// Bytes of a body that lists the refs of a push, at most. A ref takes about 100 bytes.
    #[schemars(range(min = 1024))]
    pub push_body_bytes: usize,
    /// Bytes that the bodies of all requests under way may have together; further ones are answered 503.
    #[schemars(range(min = 1024))]
    pub bodies_bytes: usize,
    /// Client connections at once, at most; further ones wait to be accepted.
    #[schemars(range(min = 1, max = 100_000))]
    pub connections: usize,
    /// Of these, connections from one address, at most; further ones are closed. An address of IPv6 is a /64.
    #[schemars(range(min = 1, max = 100_000))]
    pub connections_per_peer: usize,
    /// Addresses, or networks, that may have all connections: this machine, and proxies in front of us. Whoever comes
    /// by the Unix socket may too.
    #[serde(deserialize_with = "networks")]
    #[schemars(with = "Vec<String>", extend("examples" = [["10.0.0.0/8"]]))]
    pub exempt_peers: Vec<IpNet>,
    /// Seconds that a client may take to send the head of a request; and to begin the next one, before its connection
    /// is closed.
    #[schemars(range(min = 1, max = 600))]
    pub header_timeout: u32,
    /// Seconds that a client may take to send the body of a request; each 64 KiB that arrive give it one more.
    #[schemars(range(min = 1, max = 600))]
    pub body_timeout: u32,
    /// Seconds that a client may take to read an answer.
    #[schemars(range(min = 1, max = 600))]
    pub write_timeout: u32,
    /// Seconds that a request may take as a whole.
    #[schemars(range(min = 1, max = 300))]
    pub request_timeout: u32,
    /// Seconds that the checks of a push's ref updates may take, what Gitaly is asked for them included.
    #[schemars(range(min = 1, max = 290))]
    pub push_check_timeout: u32,
    /// Seconds in which the server ends when it is asked to. Requests under way are given nine tenths of them.
    #[schemars(range(min = 0, max = 600))]
    pub drain_timeout: u32,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            push_body_bytes: 256 << 20,
            bodies_bytes: 512 << 20,
            connections: 10_000,
            connections_per_peer: 1_000,
            exempt_peers: [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)]
                .map(|(address, prefix)| IpNet::new_assert(address, prefix))
                .to_vec(),
            header_timeout: 30,
            body_timeout: 30,
            write_timeout: 30,
            request_timeout: 60,
            push_check_timeout: 50,
            drain_timeout: 30,
        }
    }
}

/// Networks as CIDR has them; an address alone is a network of one.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    let problem = |text| format!("{text} is no network, for example 10.0.0.0/8");
    let network = |text: &String| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    texts.iter().map(|text| network(text).map_err(|_| D::Error::custom(problem(text)))).collect()
}
