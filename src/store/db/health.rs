//! What an operator is told of the database: once when trouble begins, and once when it is over.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether the database can be reached: one database, whichever budget notices.
pub(super) static REACHABLE: LazyLock<DbHealth> =
    LazyLock::new(|| DbHealth::new("the database is not available", "all"));
/// What is said of a budget when it gives no connection.
pub(super) const NONE_FREE: &str = "no connection could be had in time: all are in use, or the database is silent";
/// Well again is what showed no fault for this long.
const RELAPSE: Duration = Duration::from_secs(1);

/// What an operator is told once when it begins and once when it is over, however many notice.
#[derive(Debug, Clone)]
pub(super) struct DbHealth {
    complaint: &'static str,
    budget: &'static str,
    ill: Arc<Mutex<Option<DbIllness>>>,
}

#[derive(Debug)]
struct DbIllness {
    since: Instant,
    seen: Instant,
}

impl DbHealth {
    pub(super) fn new(complaint: &'static str, budget: &'static str) -> Self {
        Self { complaint, budget, ill: Arc::default() }
    }

    pub(super) fn is_ill(&self, error: &sqlx::Error) {
        metrics::counter!("gatehouse_pool_failures_total", "pool" => self.budget).increment(1);
        let now = Instant::now();
        let mut ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(illness) = &mut *ill {
            illness.seen = now;
        } else {
            *ill = Some(DbIllness { since: now, seen: now });
            tracing::warn!(budget = self.budget, %error, "{}", self.complaint);
        }
    }

    pub(super) fn is_well(&self) {
        let mut ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(over) = ill.take_if(|illness| illness.seen.elapsed() >= RELAPSE) {
            let seconds = over.since.elapsed().as_secs_f64();
            tracing::info!(budget = self.budget, seconds, "no more: {}", self.complaint);
        }
    }
}
