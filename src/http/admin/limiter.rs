//! How often somebody may fail to sign in: by address, and in all. Each server counts for itself, in as much memory as it
//! takes at the start.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};

/// Failures of one address in a minute.
const PER_ADDRESS: u64 = 10;
/// Failures in a minute in all.
const IN_ALL: u64 = 100;
/// Addresses that are told apart. Two that share a counter by chance share their attempts, and no more.
const COUNTERS: usize = 4096;

/// The counters. Clones share them.
#[derive(Debug, Clone)]
pub struct SignInLimiter(Arc<Counters>);

#[derive(Debug)]
struct Counters {
    all: MinuteCount,
    addresses: Vec<MinuteCount>,
    hasher: RandomState,
}

/// A minute in the upper half, and what was counted in it in the lower.
#[derive(Debug, Default)]
struct MinuteCount(AtomicU64);

impl MinuteCount {
    fn count(&self, minute: u64) -> u64 {
        let held = self.0.load(Ordering::Relaxed);
        if held >> 32 == minute { held & u64::from(u32::MAX) } else { 0 }
    }

    fn add(&self, minute: u64) {
        let counted = |held: u64| if held >> 32 == minute { held + 1 } else { minute << 32 | 1 };
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(counted(held)));
    }
}

impl Default for SignInLimiter {
    fn default() -> Self {
        let addresses = (0..COUNTERS).map(|_| MinuteCount::default()).collect();
        Self(Arc::new(Counters { all: MinuteCount::default(), addresses, hasher: RandomState::new() }))
    }
}

impl SignInLimiter {
    /// Whether so many have failed that nobody is listened to now.
    #[must_use]
    pub fn exceeded(&self, address: Option<IpAddr>, now: DateTime<Utc>) -> bool {
        let minute = minute(now);
        self.0.all.count(minute) >= IN_ALL || self.of(address).count(minute) >= PER_ADDRESS
    }

    /// Counts a failure.
    pub fn failed(&self, address: Option<IpAddr>, now: DateTime<Utc>) {
        let minute = minute(now);
        self.0.all.add(minute);
        self.of(address).add(minute);
    }

    /// The counter of an address; of IPv6 a network of /64 is one.
    fn of(&self, address: Option<IpAddr>) -> &MinuteCount {
        let whole = match address {
            Some(IpAddr::V6(address)) => Some(IpAddr::V6((address.to_bits() >> 64 << 64).into())),
            other => other,
        };
        let place = usize::try_from(self.0.hasher.hash_one(whole) % COUNTERS as u64).unwrap_or_default();
        &self.0.addresses[place]
    }
}

fn minute(now: DateTime<Utc>) -> u64 {
    u64::try_from(now.timestamp() / 60).unwrap_or_default() & u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn failures_are_counted_by_address_and_in_all() {
        let limiter = SignInLimiter::default();
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let address = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        for _ in 0..PER_ADDRESS {
            assert!(!limiter.exceeded(address(1), now));
            limiter.failed(address(1), now);
        }
        assert!(limiter.exceeded(address(1), now));
        assert!(!limiter.exceeded(address(1), now + TimeDelta::minutes(1)));
        for last in 2..=100 {
            limiter.failed(address(last), now);
        }
        assert!(limiter.exceeded(address(200), now), "many addresses");
    }

    #[test]
    fn an_address_of_ipv6_is_its_network() {
        let limiter = SignInLimiter::default();
        let now = DateTime::UNIX_EPOCH;
        for host in 0..PER_ADDRESS {
            limiter.failed(format!("2001:db8::{host:x}").parse().ok(), now);
        }
        assert!(limiter.exceeded("2001:db8::ffff".parse().ok(), now));
        assert!(!limiter.exceeded("2001:db8:0:1::1".parse().ok(), now));
    }
}
