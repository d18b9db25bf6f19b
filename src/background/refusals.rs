//! Refused attempts are kept for operators: written behind the answers, never before them, and never a reason to fail one.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::RefusalSettings;
use crate::store::access_refusals::{self, AccessRefusal};
use crate::store::{self, Db};

/// Refusals that wait at most; past this they are skipped.
const QUEUE: usize = 1024;

/// Where refusals are left. Clones share the queue and the allowance.
#[derive(Debug, Clone)]
pub struct RefusalWriter(Arc<RefusalQueue>);

#[derive(Debug)]
struct RefusalQueue {
    /// None where nothing is kept.
    sender: Option<mpsc::Sender<AccessRefusal>>,
    allowance: DefaultDirectRateLimiter,
    /// Refusals since the last kept one.
    skipped: AtomicI64,
}

impl RefusalWriter {
    /// A queue, and the task that empties it; the task ends after the last refusal once all clones are gone.
    #[must_use]
    pub fn start(db: &Db, settings: &RefusalSettings) -> (Self, JoinHandle<()>) {
        let (sender, mut refusals) = mpsc::channel(QUEUE);
        let db = db.clone();
        let writer = tokio::spawn(async move {
            let mut batch = Vec::new();
            while refusals.recv_many(&mut batch, QUEUE).await > 0 {
                if !db.is_read_only() {
                    report(&access_refusals::insert(db.pool(), &batch).await, batch.len());
                }
                batch.clear();
            }
        });
        let kept = settings.keep_rows > 0;
        let rate = NonZeroU32::new(settings.rows_per_second).unwrap_or(NonZeroU32::MIN);
        let queue = RefusalQueue {
            sender: kept.then_some(sender),
            allowance: DefaultDirectRateLimiter::direct(Quota::per_second(rate)),
            skipped: AtomicI64::new(0),
        };
        (Self(Arc::new(queue)), writer)
    }

    /// Leaves a refusal. Where there are too many, it is counted in place of being kept.
    pub fn note(&self, refusal: impl FnOnce() -> AccessRefusal) {
        let Some(sender) = &self.0.sender else { return };
        if self.0.allowance.check().is_ok()
            && let Ok(place) = sender.try_reserve()
        {
            let skipped = self.0.skipped.swap(0, Ordering::Relaxed);
            place.send(AccessRefusal { skipped, ..refusal() });
        } else {
            self.0.skipped.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("gatehouse_refusals_skipped_total").increment(1);
        }
    }
}

fn report(written: &store::Result<()>, refusals: usize) {
    match written {
        // The database's own troubles are in the log already.
        Err(error) if error.is_about_the_database() => {
            tracing::debug!(%error, refusals, "could not keep what was refused");
        }
        Err(error) => tracing::warn!(%error, refusals, "could not keep what was refused"),
        Ok(()) => {}
    }
}
