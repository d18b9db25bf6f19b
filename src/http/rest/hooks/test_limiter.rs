//! How often somebody may have the hooks of one owner tested: five times a minute. Each server counts for itself.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::domain::ids::UserId;

/// Tests a minute.
const TESTS: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Whose hooks are tested: its kind and its id.
pub type TestedOwner = (&'static str, i64);

/// The counters. Clones share them.
#[derive(Debug, Clone)]
pub struct HookTestLimiter(Arc<DefaultKeyedRateLimiter<(TestedOwner, UserId)>>);

impl Default for HookTestLimiter {
    fn default() -> Self {
        Self(Arc::new(DefaultKeyedRateLimiter::keyed(Quota::per_minute(TESTS))))
    }
}

impl HookTestLimiter {
    /// The seconds to wait, where this is one test too many.
    #[must_use]
    pub fn exceeded(&self, owner: TestedOwner, user: UserId) -> Option<u32> {
        // Few people test hooks: a look at all counters costs nothing, and none are kept for ever.
        self.0.retain_recent();
        let refused = self.0.check_key(&(owner, user)).err()?;
        let wait = refused.wait_time_from(DefaultClock::default().now()).as_secs();
        Some(u32::try_from(wait).unwrap_or(60).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_test_in_a_minute_waits_and_others_do_not() {
        let limiter = HookTestLimiter::default();
        let tried = |owner, user| limiter.exceeded(owner, UserId(user)).is_some();
        assert_eq!(
            (0..6).map(|_| tried(("project", 1), 1)).collect::<Vec<_>>(),
            [false, false, false, false, false, true]
        );
        assert!(!tried(("project", 1), 2) && !tried(("project", 2), 1) && !tried(("group", 1), 1));
    }
}
