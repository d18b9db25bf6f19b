//! Who has how many connections: one address must not have all of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

/// How many connections each address has.
type ConnectedPeers = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// The addresses that are connected.
#[derive(Debug)]
pub struct Peers {
    most: usize,
    exempt: Vec<IpNet>,
    connected: ConnectedPeers,
}

/// A connection of an address, until this goes.
#[derive(Debug)]
pub struct PeerConnection {
    /// Nobody counts where this is none.
    counted: Option<(IpAddr, ConnectedPeers)>,
}

impl Peers {
    /// At most so many connections of each address that is not exempt.
    pub fn new(most: usize, exempt: Vec<IpNet>) -> Self {
        Self { most, exempt, connected: Arc::default() }
    }

    /// A seat for the address; none where it has as many as it may have.
    pub fn admit(&self, address: IpAddr) -> Option<PeerConnection> {
        let address = address.to_canonical();
        if self.exempt.iter().any(|network| network.contains(&address)) {
            return Some(PeerConnection { counted: None });
        }
        let peer = peer(address);
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = connected.entry(peer).or_default();
        if *connections >= self.most {
            return None;
        }
        *connections += 1;
        Some(PeerConnection { counted: Some((peer, Arc::clone(&self.connected))) })
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let Some((peer, connected)) = &self.counted else { return };
        let mut connected = connected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = connected.get_mut(peer) {
            *connections -= 1;
            if *connections == 0 {
                connected.remove(peer);
            }
        }
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn peer(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_seats_and_leaves_nothing_behind() {
        let peers = Peers::new(2, vec!["192.0.2.0/24".parse().unwrap()]);
        let admit = |address: &str| peers.admit(address.parse().unwrap());
        let first = admit("198.51.100.1").unwrap();
        let mapped = admit("::ffff:198.51.100.1").unwrap();
        assert!(admit("198.51.100.1").is_none());
        assert!(admit("198.51.100.2").is_some());
        let (one, other) = (admit("2001:db8::1").unwrap(), admit("2001:db8::ffff:1").unwrap());
        assert!(admit("2001:db8::2").is_none() && admit("2001:db8:0:1::2").is_some());
        let proxied: Vec<_> = (0..9).map(|_| admit("192.0.2.7").unwrap()).collect();
        drop(first);
        assert!(admit("198.51.100.1").is_some());
        drop((mapped, one, other, proxied));
        assert!(peers.connected.lock().unwrap().is_empty());
    }
}
