//! Memberships and shares that have expired are removed, with the access that they gave.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::services::expire_memberships::expire_memberships;
use crate::store::Db;

/// How often expired rows are looked for. Dates turn once a day; who was added late is gone soon after all the same.
const INTERVAL: Duration = Duration::from_mins(1);

/// Removes what expires, until `stop` says true. Any number of servers may do so at once.
pub async fn run(db: Db, clock: Clock, mut stop: watch::Receiver<bool>) {
    loop {
        match expire_memberships(&db, clock.now().date_naive()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "removed expired memberships and shares"),
            // The database's own troubles are in the log already.
            Err(error) if error.is_about_the_database() => {
                tracing::debug!(%error, "could not look for expired memberships");
            }
            Err(error) => tracing::warn!(%error, "could not look for expired memberships"),
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
