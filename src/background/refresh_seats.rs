//! The seats of paid subscriptions are counted from time to time, and the most that were taken is kept.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::services::refresh_seats::refresh_seats;
use crate::store::Db;

/// How often subscriptions are looked for whose count is due, at most.
const INTERVAL: Duration = Duration::from_mins(1);

/// Counts what was not counted for so many seconds, until `stop` says true; 0 is never. Any number of servers may do so
/// at once.
pub async fn run(db: Db, clock: Clock, seconds: u32, mut stop: watch::Receiver<bool>) {
    if seconds == 0 {
        return;
    }
    let pause = INTERVAL.min(Duration::from_secs(seconds.into()));
    loop {
        match refresh_seats(&db, clock.now(), TimeDelta::seconds(seconds.into())).await {
            Ok(0) => {}
            Ok(subscriptions) => tracing::info!(subscriptions, "counted seats"),
            // The database's own troubles are in the log already.
            Err(error) if error.is_about_the_database() => tracing::debug!(%error, "could not count seats"),
            Err(error) => tracing::warn!(%error, "could not count seats"),
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
