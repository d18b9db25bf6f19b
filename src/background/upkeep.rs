//! What has to be done from time to time: the end of rows that have had their day.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::JobState;
use crate::config::RefusalSettings;
use crate::services::delete_group_or_project::delete_due;
use crate::services::issue_access_token;
use crate::services::make_repository::make_all_missing;
use crate::services::store_lfs_object;
use crate::store::{
    self, access_refusals, git_auth_failures, jobs, kas_events, kas_usage, post_push_messages, received_pushes,
    reference_counters, web_hooks,
};

/// The pause between two sweeps.
const PAUSE: Duration = Duration::from_mins(1);
/// Sweeps between two rounds of forgetting receivers, which shuts the queue for a moment.
const TIDY: u32 = 60;

/// How long a round may take: a database may fall silent in the middle.
const PATIENCE: Duration = Duration::from_mins(5);

/// Sweeps until `stop` says true. Every server does; that they do the same work does no harm.
pub(super) async fn run(state: JobState, mut stop: watch::Receiver<bool>) {
    let mut ticks = interval(PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 0_u32.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let swept = async {
            if round % TIDY == TIDY - 1 {
                jobs::tidy_receivers(&state.pool).await?;
                remove_orphans(&state).await;
                issue_access_token::remove_ended_bots(&state.pool, state.clock.now()).await?;
            }
            sweep(&state).await?;
            let deleted = delete_due(&state.pool, state.clock.now()).await?;
            if deleted > 0 {
                tracing::info!(deleted, "deleted groups and projects whose time had come");
            }
            make_all_missing(&state.pool, state.repositories.gitaly(), &state.clock).await
        };
        let swept = tokio::select! {
            swept = tokio::time::timeout(PATIENCE, swept) => swept.unwrap_or_else(|_| Err(store::silence())),
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match swept {
            // The database's own troubles are in the log already.
            Err(error) if error.is_about_the_database() => {
                tracing::debug!(%error, "the upkeep of the job queue is put off");
            }
            Err(error) => tracing::warn!(%error, "the upkeep of the job queue is put off"),
            Ok(()) => {}
        }
    }
}

/// LFS objects that no project has any more. That their directory fails is no reason to put off the rest.
async fn remove_orphans(state: &JobState) {
    match store_lfs_object::remove_orphans(&state.pool, &state.settings.lfs_files, state.clock.now()).await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "removed LFS objects that no project has"),
        Err(error) => tracing::warn!(%error, "could not remove LFS objects that no project has"),
    }
}

async fn sweep(state: &JobState) -> store::Result<()> {
    let now = state.clock.now();
    let dead_since = now - TimeDelta::days(state.settings.queue.keep_dead.into());
    let RefusalSettings { keep_days, keep_rows, .. } = state.settings.refusals;
    let refused_since = now - TimeDelta::days(keep_days.into());
    let mut connection = state.pool.acquire().await?;
    let swept = reference_counters::delete_expired(&state.pool, now).await?
        + post_push_messages::delete_expired(&state.pool, now).await?
        + access_refusals::delete_old(&state.pool, refused_since, keep_rows).await?
        + received_pushes::delete_processed(&state.pool, now).await?
        + kas_usage::tidy(&mut connection, now.date_naive()).await?
        + kas_events::delete_expired(&state.pool, now).await?
        + git_auth_failures::delete_expired(&state.pool, now).await?
        + jobs::delete_dead(&state.pool, dead_since).await?
        // A delivery whose job is gone would wait for ever.
        + web_hooks::delete_deliveries(&state.pool, dead_since - TimeDelta::days(1)).await?;
    if swept > 0 {
        tracing::debug!(rows = swept, "swept");
    }
    Ok(())
}
