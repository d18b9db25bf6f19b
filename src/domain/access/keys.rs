//! Is the SSH key fit for git, and for how long?

use chrono::TimeDelta;

use super::denial::Denial;
use super::facts::{AccessFacts, KeyLimit, KeyStrength};
use crate::domain::ssh_key::KeyKind;

/// D2a, of user keys and deploy keys alike
pub(super) fn weak_key(facts: &AccessFacts) -> Option<Denial> {
    let key = facts.key.as_ref()?;
    let limits = &facts.instance.key_limits;
    let forbidden = || {
        let forbidden = |kind| limits.contains(&(kind, KeyLimit::Forbidden));
        let open = KeyKind::ALL.into_iter().filter(|kind| !forbidden(*kind));
        Some(Denial::KeyTypeForbidden(open.collect()))
    };
    match key.strength {
        KeyStrength::NotLookedAt => None,
        // Of no type, and so of none that is open.
        KeyStrength::Unreadable => forbidden(),
        KeyStrength::Known(kind, bits) => match limits.iter().find(|(limited, _)| *limited == kind) {
            Some((_, KeyLimit::Forbidden)) => forbidden(),
            Some((_, KeyLimit::AtLeast(least))) => (bits < *least).then_some(Denial::KeyTooShort(*least)),
            None => None,
        },
    }
}

/// D2b
pub(super) fn expired_key(facts: &AccessFacts) -> Option<Denial> {
    let expires_at = facts.key.as_ref()?.expires_at?;
    (expires_at <= facts.now).then_some(Denial::KeyExpired)
}

/// D2a: a key that ends later than the instance allows is refused from the first day on, and so is one without an end
pub(super) fn long_lived_key(facts: &AccessFacts) -> Option<Denial> {
    let (key, longest) = (facts.key.as_ref()?, facts.instance.longest_key_life?);
    let Some(expires_at) = key.expires_at else { return Some(Denial::KeyNeverExpires) };
    let last = key.created_at.unwrap_or(facts.now).checked_add_signed(longest)?;
    (expires_at > last).then_some(Denial::KeyLivesTooLong)
}

/// Whether the key stops working within a week, of which its user is told.
#[must_use]
pub fn key_expires_soon(facts: &AccessFacts) -> bool {
    let soon = facts.now + TimeDelta::days(7);
    facts.key.as_ref().and_then(|key| key.expires_at).is_some_and(|at| at > facts.now && at <= soon)
}
