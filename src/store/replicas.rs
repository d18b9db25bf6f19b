//! The standbys that reads may go to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use super::db::{Db, WaitTerms};
use super::replication::{self, WalPosition};
use crate::config::DatabaseSettings;

/// How long a standby that gave no answer is left alone.
const REST: Duration = Duration::from_secs(1);
/// How long one that is behind is left alone.
const CATCH_UP: Duration = Duration::from_millis(100);
/// How long a connection to a standby, or a statement of one, may take: the primary is there too.
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
    /// Its place in the settings, which is what metrics and the log call it.
    pub place: usize,
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
            // Two more for what is asked while the primary is away.
            let db = Db::of_replica(url, connections + 2, quick)?;
            Ok(Replica { db, place, away_until: Mutex::default() })
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
    pub async fn position(&self, primary: &mut PgConnection) -> Result<WalPosition> {
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

    /// Whether the primary has told its position within this time.
    #[must_use]
    pub fn primary_was_there(&self, within: Duration) -> bool {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().is_some_and(|(_, asked)| asked.elapsed() < within)
    }

    /// How old what the standby behind this connection knows is at most, as it may be asked while the primary is away; none
    /// where that is more than the settings allow, or nobody knows.
    pub async fn staleness(&self, replica: impl PgExecutor<'_>) -> Result<Option<Duration>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((position, asked)) = last else { return Ok(None) };
        let progress = replication::progress(replica, &position).await?;
        // It knows all that the primary had when we asked it last, or has replayed a transaction of a known time.
        let caught_up = progress.caught_up.then(|| asked.elapsed());
        let age = caught_up.into_iter().chain(progress.last_transaction).min();
        Ok(age.filter(|age| self.stale.is_some_and(|limit| *age <= limit)))
    }

    /// Whether some standby may be asked while the primary is away. All are asked at once, for one of them may be silent.
    pub async fn may_stand_in(&self) -> bool {
        let mut asked: FuturesUnordered<_> = self.in_turn().map(|replica| self.staleness(replica.db.pool())).collect();
        while let Some(age) = asked.next().await {
            if matches!(age, Ok(Some(_))) {
                return true;
            }
        }
        false
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

    /// Whether it has replayed everything before this position, or does so in a moment, as the connection to it says. One
    /// that is behind is left alone for a moment.
    pub async fn has_replayed(&self, connection: &mut PgConnection, position: &WalPosition) -> Result<bool> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let progress = replication::progress(&mut *connection, position).await?;
            if progress.caught_up {
                self.lag(Some(Duration::ZERO));
                return Ok(true);
            }
            let Some(pause) = pauses.next() else {
                self.lag(progress.last_transaction);
                self.leave_alone(CATCH_UP);
                return Ok(false);
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes that it gave no answer: it is left alone for a while.
    pub fn rest(&self) {
        self.lag(None);
        self.leave_alone(REST);
    }

    fn leave_alone(&self, time: Duration) {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    /// Without a bound where nobody knows it.
    fn lag(&self, lag: Option<Duration>) {
        let seconds = lag.map_or(f64::INFINITY, |lag| lag.as_secs_f64());
        metrics::gauge!("gatehouse_replica_lag_seconds", "replica" => self.place.to_string()).set(seconds);
    }
}
