//! How many wrong passwords lock an account, and for how long.

use chrono::{DateTime, TimeDelta, Utc};

/// Wrong one-time passwords in a row that lock an account.
pub const FAILURES_THAT_LOCK: i32 = 10;
/// How long it stays locked.
const LOCK_TIME: TimeDelta = TimeDelta::minutes(10);

/// Whether an account that was locked at this time is locked still.
#[must_use]
pub fn is_locked(locked_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    locked_at > last_ended_lock(now)
}

/// The time of the latest lock that is over: accounts that were locked then or earlier are open again.
#[must_use]
pub fn last_ended_lock(now: DateTime<Utc>) -> DateTime<Utc> {
    now - LOCK_TIME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_ends_after_ten_minutes_on_the_second() {
        let now = DateTime::UNIX_EPOCH;
        assert!(is_locked(now, now) && is_locked(now - TimeDelta::seconds(599), now));
        assert!(!is_locked(now - TimeDelta::minutes(10), now) && !is_locked(now - TimeDelta::minutes(11), now));
    }
}
