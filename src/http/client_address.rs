//! Where a client is that came through proxies (`git_http.md` 1.4).

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::domain::access::ClientIp;

/// On a request: who holds the other end of the connection. Whoever comes by the Unix socket has none.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub IpAddr);

/// The header in which proxies say from whom they have a request.
const FORWARDED: &str = "x-forwarded-for";
/// Addresses of such a header that are looked at, from its end.
const HOPS: usize = 64;

/// Finds out where clients are.
#[derive(Debug, Clone)]
pub struct ClientAddresses {
    trusted: Vec<IpNet>,
}

impl ClientAddresses {
    /// Through these proxies, and through this machine.
    #[must_use]
    pub fn through(proxies: &[IpNet]) -> Self {
        Self { trusted: proxies.to_vec() }
    }

    /// The last address that no trusted proxy has: of what a proxy says who is not trusted, or who came by no proxy,
    /// nothing counts.
    #[must_use]
    pub fn find(&self, extensions: &Extensions, headers: &HeaderMap) -> IpAddr {
        let peer = extensions.get().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |PeerAddress(peer)| peer.to_canonical());
        if !self.trusts(peer) {
            return peer;
        }
        let values: Option<Vec<&str>> = headers.get_all(FORWARDED).iter().map(|value| value.to_str().ok()).collect();
        let Some(values) = values else { return peer };
        let hops: Option<Vec<IpAddr>> =
            values.iter().rev().flat_map(|value| value.rsplit(',')).take(HOPS).map(address).collect();
        match hops {
            Some(hops) => hops.iter().copied().find(|hop| !self.trusts(*hop)).or(hops.last().copied()).unwrap_or(peer),
            None => peer,
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.trusted.iter().any(|net| net.contains(&address))
    }
}

/// One hop, with or without its port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = match hop.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?.0,
        None if hop.matches(':').count() == 1 => hop.split_once(':')?.0,
        None => hop,
    };
    match ClientIp::parse(bare) {
        ClientIp::Known(address) => Some(address),
        ClientIp::Garbage => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(peer: &str, forwarded: &[&'static str]) -> String {
        let addresses = ClientAddresses::through(&["10.0.0.0/8".parse().unwrap()]);
        let mut extensions = Extensions::new();
        if !peer.is_empty() {
            extensions.insert(PeerAddress(peer.parse().unwrap()));
        }
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, value.parse().unwrap());
        }
        addresses.find(&extensions, &headers).to_string()
    }

    /// http-17
    #[test]
    fn the_last_address_that_is_not_trusted_is_the_clients() {
        for (peer, forwarded, expected) in [
            ("127.0.0.1", vec!["192.0.2.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("127.0.0.1", vec![], "127.0.0.1"),
            ("127.0.0.1", vec!["junk"], "127.0.0.1"),
            ("", vec!["203.0.113.9"], "203.0.113.9"),
            ("", vec![], "127.0.0.1"),
            ("198.51.100.7", vec!["203.0.113.9"], "198.51.100.7"),
            ("::ffff:10.1.2.3", vec!["203.0.113.9:4711"], "203.0.113.9"),
            ("127.0.0.1", vec!["[2001:db8::1]:443"], "2001:db8::1"),
            ("127.0.0.1", vec!["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("127.0.0.1", vec![""], "127.0.0.1"),
        ] {
            assert_eq!(found(peer, &forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
