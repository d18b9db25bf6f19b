//! The seats of paid subscriptions are counted from time to time, and the most that were taken is kept.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::retry::{RetryAfter, retried};
use super::subscribe::count_seats;
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::store::{self, Db, provisioned_namespaces, subscriptions};

/// Counts the seats of each paid subscription that was not counted for so long, each in a transaction of its own; says
/// how many there were.
pub async fn refresh_seats(db: &Db, now: DateTime<Utc>, interval: TimeDelta) -> store::Result<usize> {
    let author = LedgerAuthor { actor: LedgerActor::SeatRefresh, request_id: None };
    let mut refreshed = 0;
    loop {
        let more = retried(db, RetryAfter::Undone, || async {
            let mut transaction = db.begin().await?;
            let more = refresh_oldest(&mut transaction, now - interval, &author, now).await?;
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

/// Counts the seats of the subscription whose turn it is; false where there is none.
async fn refresh_oldest(
    conn: &mut PgConnection,
    due: DateTime<Utc>,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> store::Result<bool> {
    let Some(id) = subscriptions::lock_oldest_due(&mut *conn, due).await? else { return Ok(false) };
    // The lock keeps both; without them the same row would be found again and again.
    let Some(subscription) = subscriptions::find(&mut *conn, id).await? else { return Ok(false) };
    let Some(namespace) = provisioned_namespaces::find_by_id(&mut *conn, id).await? else { return Ok(false) };
    let counted = count_seats(&mut *conn, &namespace, &subscription, now).await?;
    let recounted = subscription.recounted(counted.seats_in_use, now);
    if recounted.before != recounted.after {
        subscriptions::change(&mut *conn, &recounted, author, now).await?;
    }
    subscriptions::update_seats_counted_at(conn, recounted.after.id, now).await?;
    Ok(true)
}
