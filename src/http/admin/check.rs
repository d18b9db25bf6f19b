//! `/admin/check`: what `gatehouse check` says of the database and the storages. The overview has the last word of it.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};

use super::AdminState;
use super::error::AdminError;
use super::page::{Cell, Inline, Page, Table, Tone, badge, text, time};
use crate::http::auth::admin::AdminCaller;
use crate::services::check_installation::{Verdict, check_database, check_storages};

/// The overview has everything judged anew once the last verdicts are so old.
const OLD: TimeDelta = TimeDelta::minutes(5);

/// The verdicts that were given last. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct LastCheck(Arc<Mutex<Option<CheckSummary>>>);

#[derive(Debug, Clone, Copy)]
struct CheckSummary {
    begun_at: DateTime<Utc>,
    /// How many verdicts were bad; nothing while they are being found.
    failed: Option<usize>,
}

impl LastCheck {
    fn get(&self) -> Option<CheckSummary> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, summary: CheckSummary) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(summary);
    }
}

/// What the verdicts are, for the overview. Where they are old, others are on their way: nobody waits for them.
pub fn summary(state: &AdminState) -> Cell {
    let now = state.clock.now();
    let last = state.last_check.get();
    if last.is_none_or(|last| now - last.begun_at >= OLD) {
        state.last_check.set(CheckSummary { begun_at: now, failed: None });
        let state = state.clone();
        tokio::spawn(async move { judge(&state).await });
    }
    let mut cell = match last.map(|last| last.failed) {
        Some(Some(0)) => badge(Tone::Good, "all is well"),
        Some(Some(failed)) => badge(Tone::Bad, format!("{failed} failed")),
        Some(None) | None => badge(Tone::Plain, "under way"),
    };
    cell.extend(last.map(|last| time(Some(last.begun_at))).unwrap_or_default());
    cell.push(Inline::Link("/admin/check".to_owned(), "verdicts".to_owned()));
    cell
}

async fn judge(state: &AdminState) -> Vec<Verdict> {
    let begun_at = state.clock.now();
    // With the connections of what no client waits for: the schema is compared with one that is made for it.
    let (mut verdicts, storages) = tokio::join!(
        check_database(&state.budgets.upkeep, &state.settings),
        check_storages(&state.gitaly, &state.settings),
    );
    verdicts.extend(storages);
    let failed = verdicts.iter().filter(|verdict| verdict.outcome.is_err()).count();
    state.last_check.set(CheckSummary { begun_at, failed: Some(failed) });
    verdicts
}

/// The page.
pub async fn show(State(state): State<AdminState>, caller: AdminCaller) -> Result<Response, AdminError> {
    let rows = judge(&state).await.into_iter().map(|verdict| {
        let (word, said) = match verdict.outcome {
            Ok(said) => (badge(Tone::Good, "ok"), said),
            Err(error) => (badge(Tone::Bad, "failed"), format!("{error:#}")),
        };
        [text(verdict.what), word, text(said)]
    });
    let intro =
        "This server was started with settings and secrets that are good: what can change since is judged here.";
    let table = Table::new("Verdicts", &["What", "Verdict", "Detail"], "There are none.").rows(rows);
    Ok(Page::new("Check").intro(intro).table(table).show(&caller))
}
