//! The clock: the system's, or one that a test holds still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};

/// Where handlers take `now` from, once per request. Clones of a held clock share its hands.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `instant`, to the millisecond, until it is set again.
    #[must_use]
    pub fn held_at(instant: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(instant.timestamp_millis()))))
    }

    /// The time now, in UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else reads")]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            None => Utc::now(),
            Some(millis) => DateTime::from_timestamp_millis(millis.load(Ordering::Relaxed)).unwrap_or_default(),
        }
    }

    /// Moves a held clock to `instant`; the system's clock is left alone.
    pub fn set(&self, instant: DateTime<Utc>) {
        if let Some(millis) = &self.0 {
            millis.store(instant.timestamp_millis(), Ordering::Relaxed);
        }
    }
}
