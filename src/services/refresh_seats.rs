//! The seats of paid subscriptions are counted from time to time, and the most that were taken is kept.

use chrono::{DateTime, TimeDelta, Utc};

use super::retry::{RetryAfter, retried};
use crate::domain::ledger::{Actor, Author};
use crate::store::{self, Db, subscriptions};

/// Counts the seats of each paid subscription that was not counted for so long, each in a transaction of its own; says how
/// many there were.
pub async fn refresh_seats(db: &Db, now: DateTime<Utc>, interval: TimeDelta) -> store::Result<usize> {
    let author = Author { actor: Actor::SeatRefresh, request_id: None };
    let mut refreshed = 0;
    loop {
        let more = retried(RetryAfter::Undone, || async {
            let mut transaction = db.begin().await?;
            let more = subscriptions::refresh_oldest(&mut transaction, now - interval, &author, now).await?;
            transaction.commit().await?;
            store::Result::Ok(more)
        })
        .await?;
        if !more {
            return Ok(refreshed);
        }
        refreshed += 1;
    }
}
