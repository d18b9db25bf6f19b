//! The pauses between attempts.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// The pauses between attempts: each about twice the one before it, and by chance a little different, for what was lost
/// together would be tried again together.
#[derive(Debug)]
pub struct RetryPauses {
    next: Duration,
    longest: Duration,
}

impl Default for RetryPauses {
    fn default() -> Self {
        Self::up_to(Duration::from_millis(500))
    }
}

impl RetryPauses {
    /// Pauses that grow up to this.
    #[must_use]
    pub fn up_to(longest: Duration) -> Self {
        Self { next: Duration::from_millis(10), longest }
    }

    /// The next one, longer than the one before it.
    pub fn longer(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..1.0));
        self.next = (2 * self.next).min(self.longest);
        pause
    }

    /// Waits for the next one; false, and at once, where that would be too late.
    pub async fn before(&mut self, give_up: Instant) -> bool {
        let pause = self.longer();
        if Instant::now() + pause >= give_up {
            return false;
        }
        sleep(pause).await;
        true
    }
}
