//! The standbys that reads may go to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::db::{Db, WaitTerms};
use super::replication::{self, WalPosition};
use super::{Error, Result};
use crate::config::DatabaseSettings;

/// How long a standby that gave no answer is left alone.
const REST: Duration = Duration::from_secs(1);
/// How long a connection to a standby, or an answer of one, is waited for: the primary is there too.
const PATIENCE: Duration = Duration::from_millis(250);
/// The pauses between the questions whether a standby has caught up. What was written a moment ago is on its way.
const PAUSES: [Duration; 3] = [Duration::from_millis(2), Duration::from_millis(4), Duration::from_millis(8)];

/// The standbys of a database. Clones share what is known of them.
#[derive(Debug, Clone)]
pub struct Replicas {
    list: Arc<[Replica]>,
    turn: Arc<AtomicUsize>,
    /// Where positions of the primary are asked for.
    pub primary: Db,
    /// How far behind a standby may be that is asked while the primary cannot be.
    pub stale: Option<Duration>,
    /// The last position that the primary told, and when.
    last: Arc<Mutex<Option<(WalPosition, Instant)>>>,
}

/// One of them.
#[derive(Debug)]
pub struct Replica {
    /// Its connections.
    pub db: Db,
    /// What metrics and the log call it: its place in the settings.
    pub name: String,
    away_until: Mutex<Option<Instant>>,
}

impl Replicas {
    /// The standbys that the settings name; none where they name none.
    pub fn new(settings: &DatabaseSettings) -> Result<Option<Self>> {
        if settings.replicas.is_empty() {
            return Ok(None);
        }
        let connections = settings.access_connections;
        let quick = WaitTerms { patience: PATIENCE, statement: PATIENCE, lock: PATIENCE };
        let replica = |(place, url)| {
            let db = Db::of_replica(url, connections, quick)?;
            Ok(Replica { db, name: format!("{place}"), away_until: Mutex::default() })
        };
        let list: Result<Vec<Replica>> = settings.replicas.iter().enumerate().map(replica).collect();
        let usual = WaitTerms::of(settings);
        Ok(Some(Self {
            list: list?.into(),
            turn: Arc::default(),
            primary: Db::with(settings, connections, usual, "positions")?,
            stale: (settings.stale_fetches > 0).then(|| Duration::from_secs(settings.stale_fetches.into())),
            last: Arc::default(),
        }))
    }

    /// Where the primary's log ends now.
    pub async fn position(&self, primary: &mut sqlx::PgConnection) -> Result<WalPosition> {
        let asked = Instant::now();
        let position = replication::position(primary).await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((position.clone(), asked));
        Ok(position)
    }

    /// The standbys that may be there, beginning with another one each time.
    pub fn in_turn(&self) -> impl Iterator<Item = &Replica> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let count = self.list.len();
        (0..count)
            .map(move |further| &self.list[first.wrapping_add(further) % count])
            .filter(|replica| replica.is_there())
    }

    /// Each of them.
    #[must_use]
    pub fn each(&self) -> &[Replica] {
        &self.list
    }

    /// How old what this standby knows is at most, as it may be asked while the primary is away; none where that is more
    /// than the settings allow, or nobody knows.
    pub async fn staleness(&self, replica: &Replica) -> Result<Option<Duration>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let progress = replication::progress(&replica.db, last.as_ref().map(|(position, _)| position)).await?;
        // It knows all that the primary had when we asked it last, or has replayed a transaction of a known time.
        let caught_up = last.filter(|_| progress.caught_up).map(|(_, asked)| asked.elapsed());
        let age = caught_up.into_iter().chain(progress.last_transaction).min();
        Ok(age.filter(|age| self.stale.is_some_and(|limit| *age <= limit)))
    }
}

impl Replica {
    fn is_there(&self) -> bool {
        let mut away = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        if away.is_some_and(|until| until <= Instant::now()) {
            *away = None;
        }
        away.is_none()
    }

    /// Whether it has replayed everything before this position, or does so in a moment. One that gives no answer is not
    /// asked again for a while.
    pub async fn has_replayed(&self, position: &WalPosition) -> bool {
        let mut pauses = PAUSES.into_iter();
        loop {
            match replication::progress(&self.db, Some(position)).await {
                Ok(progress) if progress.caught_up => {
                    self.lag(Duration::ZERO);
                    return true;
                }
                Ok(progress) => {
                    let Some(pause) = pauses.next() else {
                        self.lag(progress.last_transaction.unwrap_or_default());
                        return false;
                    };
                    tokio::time::sleep(pause).await;
                }
                Err(error) => {
                    self.rest(&error);
                    return false;
                }
            }
        }
    }

    /// Leaves it alone for a while.
    pub fn rest(&self, error: &Error) {
        tracing::debug!(%error, replica = self.name, "a replica of the database gives no answer");
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }

    fn lag(&self, lag: Duration) {
        metrics::gauge!("gatehouse_replica_lag_seconds", "replica" => self.name.clone()).set(lag.as_secs_f64());
    }
}
