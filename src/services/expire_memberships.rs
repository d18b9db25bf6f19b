//! Memberships and shares that have expired are removed, with the access that they gave.

use chrono::NaiveDate;

use super::retry::{RetryAfter, retried};
use crate::store::{self, Db, derived};

/// Removes what has expired by this day, some rows in a transaction; how many rows these were.
pub async fn expire_memberships(db: &Db, today: NaiveDate) -> store::Result<usize> {
    let mut removed = 0;
    loop {
        let rows = retried(db, RetryAfter::Undone, || async {
            let mut transaction = db.begin().await?;
            let rows = derived::expire(&mut transaction, today).await?;
            transaction.commit().await?;
            store::Result::Ok(rows)
        })
        .await?;
        if rows == 0 {
            return Ok(removed);
        }
        removed += rows;
    }
}
