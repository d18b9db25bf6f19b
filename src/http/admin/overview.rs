//! `/admin`: how the server does now, and did in the last hour.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::AdminState;
use super::check;
use super::error::AdminError;
use super::page::{Cell, Chart, Page, Table, Tone, badge, number, text};
use crate::http::auth::admin::AdminCaller;
use crate::store::{self, jobs};
use crate::telemetry::figures::MinuteFigures;

/// What is asked live may take so long.
const PATIENCE: Duration = Duration::from_secs(2);

/// The page.
pub async fn show(State(state): State<AdminState>, caller: AdminCaller) -> Result<Response, AdminError> {
    let storages = state.settings.repositories.storages.keys().map(|name| async {
        let answer = match timeout(PATIENCE, state.gitaly.server(name, PATIENCE)).await {
            Ok(Ok(server)) if server.storages.contains(name) => {
                (badge(Tone::Good, "serves"), format!("Gitaly {}, git {}", server.version, server.git_version))
            }
            Ok(Ok(server)) => {
                (badge(Tone::Bad, "not usable"), format!("Gitaly {} has no such storage", server.version))
            }
            Ok(Err(error)) => (badge(Tone::Bad, "no answer"), error.to_string()),
            Err(_) => (badge(Tone::Bad, "no answer"), "it did not answer within two seconds".to_owned()),
        };
        [text(name.clone()), answer.0, text(answer.1)]
    });
    let (storages, queue, writable) = tokio::join!(
        join_all(storages),
        timeout(PATIENCE, jobs::find_queue_facts(&state.budgets.upkeep)),
        timeout(PATIENCE, store::is_writable(&state.budgets.upkeep)),
    );
    let database = match writable {
        Ok(Ok(true)) => badge(Tone::Good, "takes writes"),
        Ok(Ok(false)) => badge(Tone::Doubtful, "reads only"),
        Ok(Err(_)) | Err(_) => badge(Tone::Bad, "no answer"),
    };
    let mut facts: Vec<(&str, Cell)> =
        vec![("Version", text(env!("CARGO_PKG_VERSION"))), ("Database", database), ("Check", check::summary(&state))];
    match queue {
        Ok(Ok(queue)) => {
            let dead = if queue.dead > 0 { badge(Tone::Bad, queue.dead.to_string()) } else { number(0) };
            facts.extend([
                ("Jobs to be run now", number(queue.ready)),
                ("Jobs that run", number(queue.running)),
                ("Jobs to be tried again", number(queue.retrying)),
                ("Jobs that are dead", dead),
                ("Age of the oldest job that could run", text(format!("{:.0} s", queue.oldest_seconds))),
            ]);
        }
        Ok(Err(_)) | Err(_) => facts.push(("Jobs", badge(Tone::Bad, "no answer"))),
    }
    let pools = state.budgets.each().map(|(name, db)| {
        let (open, idle) = db.count();
        [text(name), number(open), number(idle)]
    });
    let hour = state.figures.last_hour();
    let mut page = Page::new("Overview").refreshed();
    for chart in charts(&hour) {
        page = page.chart(chart);
    }
    let page = page
        .facts("Now", facts)
        .table(Table::new("Storages", &["Storage", "State", "What it says"], "No storages are set.").rows(storages))
        .table(Table::new("Connections to the database", &["Area", "Open", "Idle"], "There are none.").rows(pools));
    Ok(page.show(&caller))
}

fn charts(hour: &[MinuteFigures]) -> [Chart; 4] {
    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    let count = |of: fn(&MinuteFigures) -> u64| hour.iter().map(|minute| Some(of(minute) as f64)).collect::<Vec<_>>();
    let rate: Vec<Option<f64>> = count(|minute| minute.requests).iter().map(|all| all.map(|all| all / 60.0)).collect();
    let millis = |of: fn(&MinuteFigures) -> Option<Duration>| {
        hour.iter().map(|minute| of(minute).map(|time| time.as_secs_f64() * 1000.0)).collect::<Vec<_>>()
    };
    let whole = |value: f64| format!("{value:.0} a minute");
    [
        Chart::new("Requests", &[("rate", rate)], |value| format!("{value:.1}/s")),
        Chart::new(
            "Time to answer",
            &[("p50", millis(|minute| minute.p50)), ("p99", millis(|minute| minute.p99))],
            |value| format!("{value:.1} ms"),
        ),
        Chart::new("Errors", &[("answers of 500 and above", count(|minute| minute.failures))], whole),
        Chart::new("Git refused", &[("refusals", count(|minute| minute.refusals))], whole),
    ]
}
