//! Which SSH keys an installation takes from its users (rest.md 4).

use chrono::{DateTime, TimeDelta, Utc};

use super::access::KeyLimit;
use super::record_faults::RecordFaults;
use super::ssh_key::{KeyKind, PublicKey};

/// What the installation says about keys.
#[derive(Debug, Clone, Default)]
pub struct KeyPolicy {
    /// Types that are closed, or need so many bits; all others are open.
    pub limits: Vec<(KeyKind, KeyLimit)>,
    /// How long a key may live.
    pub longest: Option<TimeDelta>,
}

impl KeyPolicy {
    /// Notes what stands against a key that is added now.
    pub fn check(
        &self,
        faults: &mut RecordFaults,
        key: &PublicKey,
        expires_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) {
        let limit = self.limits.iter().find(|(kind, _)| *kind == key.kind()).map(|(_, limit)| *limit);
        match limit {
            Some(KeyLimit::Forbidden) => faults.add("key", format!("type is forbidden. Must be {}", self.open())),
            Some(KeyLimit::AtLeast(bits)) if key.bits() < bits => {
                faults.add("key", format!("must be at least {bits} bits"));
            }
            Some(KeyLimit::AtLeast(_)) | None => {}
        }
        if expires_at.is_some_and(|at| at <= now) {
            faults.add("expires_at", "must be in the future");
        }
        let Some(last) = self.longest.and_then(|longest| now.checked_add_signed(longest)) else { return };
        match expires_at {
            None => faults.add("expires_at", format!("must be set, to {} at the latest", last.date_naive())),
            Some(at) if at > last => faults.add("expires_at", format!("must not be after {}", last.date_naive())),
            Some(_) => {}
        }
    }

    /// The types that are open, in words.
    fn open(&self) -> String {
        let forbidden = |kind: &KeyKind| self.limits.contains(&(*kind, KeyLimit::Forbidden));
        let open: Vec<String> = KeyKind::ALL.iter().filter(|kind| !forbidden(kind)).map(ToString::to_string).collect();
        match open.split_last() {
            None => "none".to_owned(),
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{}, or {last}", others.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9Kz3dOa9o36qMmtTs+n51FI2XAuJi5CC/2gHeqFVQ5";

    fn said(policy: &KeyPolicy, expires_in: Option<i64>) -> Vec<String> {
        let now = DateTime::UNIX_EPOCH;
        let mut faults = RecordFaults::default();
        let expires_at = expires_in.map(|days| now + TimeDelta::days(days));
        policy.check(&mut faults, &PublicKey::parse(ED25519).unwrap(), expires_at, now);
        faults.iter().map(|(field, faults)| format!("{field} {}", faults.join(", "))).collect()
    }

    #[test]
    fn types_and_lives_are_limited() {
        let open = KeyPolicy::default();
        assert!(said(&open, None).is_empty() && said(&open, Some(1)).is_empty());
        assert_eq!(said(&open, Some(0)), ["expires_at must be in the future"]);
        let limits = vec![(KeyKind::Ed25519, KeyLimit::Forbidden), (KeyKind::Dsa, KeyLimit::Forbidden)];
        let closed = KeyPolicy { limits, longest: None };
        let open = "RSA, ECDSA, ECDSA_SK, or ED25519_SK";
        assert_eq!(said(&closed, None), [format!("key type is forbidden. Must be {open}")]);
        let strong = KeyPolicy { limits: vec![(KeyKind::Ed25519, KeyLimit::AtLeast(512))], longest: None };
        assert_eq!(said(&strong, None), ["key must be at least 512 bits"]);
        let short = KeyPolicy { limits: Vec::new(), longest: Some(TimeDelta::days(10)) };
        assert_eq!(said(&short, None), ["expires_at must be set, to 1970-01-11 at the latest"]);
        assert_eq!(said(&short, Some(11)), ["expires_at must not be after 1970-01-11"]);
        assert!(said(&short, Some(10)).is_empty());
    }
}
