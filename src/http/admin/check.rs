//! `/admin/check`: what `gatehouse check` says of the database and the storages.

use axum::extract::State;
use axum::response::Response;

use super::AdminState;
use super::error::AdminError;
use super::page::{Page, Table, Tone, badge, text};
use crate::http::auth::admin::AdminCaller;
use crate::services::check_installation::{check_database, check_storages};

/// The page.
pub async fn show(State(state): State<AdminState>, caller: AdminCaller) -> Result<Response, AdminError> {
    // With the connections of what no client waits for: the schema is compared with one that is made for it.
    let (database, storages) = tokio::join!(
        check_database(&state.budgets.upkeep, &state.settings),
        check_storages(&state.gitaly, &state.settings),
    );
    let rows = database.into_iter().chain(storages).map(|verdict| {
        let (word, said) = match &verdict.outcome {
            Ok(said) => (badge(Tone::Good, "ok"), said.clone()),
            Err(error) => (badge(Tone::Bad, "failed"), format!("{error:#}")),
        };
        [text(verdict.what), word, text(said)]
    });
    let intro =
        "This server was started with settings and secrets that are good: what can change since is judged here.";
    let table = Table::new("Verdicts", &["What", "Verdict", "Detail"], "There are none.").rows(rows);
    Ok(Page::new("Check").intro(intro).table(table).show(&caller))
}
