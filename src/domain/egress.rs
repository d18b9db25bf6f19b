//! Where requests of our own making may go: not into the network that we stand in, unless an operator says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What an operator lets web hooks reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Local addresses are reached like any other.
    pub local: bool,
    /// Hosts, addresses and networks that are reached although they are local, each perhaps with a port.
    pub exceptions: Vec<String>,
}

impl EgressPolicy {
    /// Whether an address that `host` resolves to may be connected to.
    #[must_use]
    pub fn admits(&self, host: &str, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.local || !is_local(address) || self.exceptions.iter().any(|entry| excepts(entry, host, address, port))
    }
}

fn excepts(entry: &str, host: &str, address: IpAddr, port: u16) -> bool {
    let entry = entry.trim();
    if let Ok(network) = entry.parse::<IpNet>() {
        return network.contains(&address);
    }
    if let Ok(one) = entry.parse::<IpAddr>() {
        return one.to_canonical() == address;
    }
    let (name, of_port) = match entry.rsplit_once(':') {
        Some((name, digits)) => (name, digits.parse().ok()),
        None => (entry, Some(port)),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let same = name.eq_ignore_ascii_case(host) || name.parse().is_ok_and(|one: IpAddr| one.to_canonical() == address);
    same && of_port == Some(port)
}

/// Whether an address belongs to this machine, to the network around it, or to nobody in particular.
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => is_local_v6(address),
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        // 0.0.0.0/8 is this host, 100.64.0.0/10 the provider's own, 192.0.0.0/24 and 198.18.0.0/15 the protocols',
        // 240.0.0.0/4 reserved
        || a == 0
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && (b & 0xfe) == 18)
        || a >= 240
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // An address of IPv4 in the clothes of IPv6 (6to4, NAT64) leads where that address leads.
    let inner = match segments {
        [0x2002, high, low, ..] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    };
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || (segments[0] & 0xffc0) == 0xfec0
        || (segments[0] == 0x2001 && segments[1] == 0xdb8)
        || inner.is_some_and(is_local_v4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_local_is_known() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "64:ff9b::10.0.0.1",
        ] {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "2002:808:808::"]
        {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_operator_excepts_hosts_addresses_and_networks() {
        let egress = |entry: &str| EgressPolicy { local: false, exceptions: vec![entry.to_owned()] };
        let admits = |entry: &str| egress(entry).admits("ci.internal", "10.0.0.5".parse().unwrap(), 8080);
        for entry in ["10.0.0.0/8", "10.0.0.5", "ci.internal", "CI.internal:8080", "10.0.0.5:8080"] {
            assert!(admits(entry), "{entry}");
        }
        for entry in ["", "10.1.0.0/16", "10.0.0.6", "internal", "ci.internal:80", "10.0.0.5:80", "*"] {
            assert!(!admits(entry), "{entry}");
        }
        assert!(EgressPolicy { local: true, ..EgressPolicy::default() }.admits("x", "127.0.0.1".parse().unwrap(), 80));
        assert!(EgressPolicy::default().admits("x", "8.8.8.8".parse().unwrap(), 80));
    }
}
