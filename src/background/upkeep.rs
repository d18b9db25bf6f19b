//! What has to be done from time to time: the queue's figures for the operator, and the end of rows that have had their
//! day.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::JobState;
use crate::services::make_repository::make_all_missing;
use crate::store::{
    self, jobs, kas_events, kas_usage, post_push_messages, received_pushes, reference_counters, web_hooks,
};

/// The pause between two looks at the queue.
const LOOK: Duration = Duration::from_secs(10);
/// Looks between two sweeps.
const SWEEP: u32 = 6;
/// Looks between two rounds of forgetting receivers, which shuts the queue for a moment.
const TIDY: u32 = 360;

/// Looks and sweeps until `stop` says true. Every server does; that they do the same work does no harm.
pub(super) async fn run(state: JobState, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u32.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let looked = async {
            look(&state).await?;
            if round % TIDY == TIDY - 1 {
                jobs::tidy_receivers(&state.pool).await?;
            }
            if round % SWEEP > 0 {
                return Ok(());
            }
            sweep(&state).await?;
            make_all_missing(&state.pool, state.repositories.gitaly(), &state.clock).await
        };
        let looked = tokio::select! {
            looked = looked => looked,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match looked {
            // The database's own troubles are in the log already.
            Err(error) if error.is_about_the_database() => {
                tracing::debug!(%error, "the upkeep of the job queue is put off");
            }
            Err(error) => tracing::warn!(%error, "the upkeep of the job queue is put off"),
            Ok(()) => {}
        }
    }
}

async fn look(state: &JobState) -> store::Result<()> {
    let facts = jobs::find_queue_facts(&state.pool).await?;
    for (name, count) in
        [("ready", facts.ready), ("retrying", facts.retrying), ("running", facts.running), ("dead", facts.dead)]
    {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("gatehouse_jobs", "state" => name).set(f64::from(count));
    }
    metrics::gauge!("gatehouse_jobs_oldest_seconds").set(facts.oldest_seconds);
    Ok(())
}

async fn sweep(state: &JobState) -> store::Result<()> {
    let now = state.clock.now();
    let dead_since = now - TimeDelta::days(state.settings.queue.keep_dead.into());
    let mut connection = state.pool.acquire().await?;
    let swept = reference_counters::delete_expired(&state.pool, now).await?
        + post_push_messages::delete_expired(&state.pool, now).await?
        + received_pushes::delete_processed(&state.pool, now).await?
        + kas_usage::tidy(&mut connection, now.date_naive()).await?
        + kas_events::delete_expired(&state.pool, now).await?
        + jobs::delete_dead(&state.pool, dead_since).await?
        // A delivery whose job is gone would wait for ever.
        + web_hooks::delete_deliveries(&state.pool, dead_since - TimeDelta::days(1)).await?;
    if swept > 0 {
        tracing::debug!(rows = swept, "swept");
    }
    Ok(())
}
