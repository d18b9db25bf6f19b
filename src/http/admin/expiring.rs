//! `/admin/expiring`: keys and tokens that end within 30 days, and those that nobody has used for 90.

use axum::extract::State;
use axum::response::Response;
use chrono::{Days, TimeDelta};

use super::error::AdminError;
use super::page::{Cell, Page, Table, Tone, act, badge, day, link, local, text, time};
use super::{AdminState, acts, list};
use crate::http::auth::admin::{AdminCaller, AdminQuery};
use crate::store::admin::expiring::{self, KeyRow, TokenRow};

const LISTS: [(&str, &str); 4] = [
    ("/admin/expiring", "Tokens that end"),
    ("/admin/expiring/keys", "Keys that end"),
    ("/admin/expiring/unused_tokens", "Unused tokens"),
    ("/admin/expiring/unused_keys", "Unused keys"),
];
const SOON: u64 = 30;
const LONG: i64 = 90;
const TOKEN_HEAD: [&str; 4] = ["Token", "Of", "Ends", "Last used"];
const KEY_HEAD: [&str; 5] = ["Key", "Kind", "Of", "Ends", "Last used"];

fn page() -> Page {
    Page::new("Expiring").links(&LISTS)
}

/// Tokens that end soon.
pub async fn ending_tokens(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let today = state.clock.now().date_naive();
    let until = today.checked_add_days(Days::new(SOON)).unwrap_or(today);
    let rows = expiring::list_ending_tokens(&state.db, today, until, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[0].0, &query, &rows, TokenRow::end_key);
    let empty = "No token ends within 30 days.";
    let table = Table::new("Tokens that end within 30 days", &TOKEN_HEAD, empty).with_acts().paged(before, after);
    Ok(page().table(tokens(table, rows.rows, LISTS[0].0)).show(&caller))
}

/// Keys that end soon.
pub async fn ending_keys(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let now = state.clock.now();
    let until = now.checked_add_days(Days::new(SOON)).unwrap_or(now);
    let rows = expiring::list_ending_keys(&state.db, now, until, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[1].0, &query, &rows, KeyRow::end_key);
    let empty = "No key ends within 30 days.";
    let table = Table::new("Keys that end within 30 days", &KEY_HEAD, empty).with_acts().paged(before, after);
    Ok(page().table(keys(table, rows.rows, LISTS[1].0)).show(&caller))
}

/// Tokens that nobody uses.
pub async fn unused_tokens(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let now = state.clock.now();
    let since = now - TimeDelta::days(LONG);
    let rows = expiring::list_unused_tokens(&state.db, since, now.date_naive(), &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[2].0, &query, &rows, TokenRow::use_key);
    let empty = "Every token was used, or made, within 90 days.";
    let table = Table::new("Tokens unused for 90 days", &TOKEN_HEAD, empty).with_acts().paged(before, after);
    Ok(page().table(tokens(table, rows.rows, LISTS[2].0)).show(&caller))
}

/// Keys that nobody uses.
pub async fn unused_keys(
    State(state): State<AdminState>,
    caller: AdminCaller,
    query: AdminQuery,
) -> Result<Response, AdminError> {
    let now = state.clock.now();
    let since = now - TimeDelta::days(LONG);
    let rows = expiring::list_unused_keys(&state.db, since, now, &list::request(&query)).await?;
    let (before, after) = list::neighbours(LISTS[3].0, &query, &rows, KeyRow::use_key);
    let empty = "Every key was used, or made, within 90 days.";
    let table = Table::new("Keys unused for 90 days", &KEY_HEAD, empty).with_acts().paged(before, after);
    Ok(page().table(keys(table, rows.rows, LISTS[3].0)).show(&caller))
}

fn tokens(mut table: Table, rows: Vec<TokenRow>, back: &str) -> Table {
    for token in rows {
        table.row([
            text(token.name.clone()),
            link(format!("/admin/users/{}", token.user_id), token.username),
            token.expires_at.map_or_else(|| text("never"), |end| day(Some(end))),
            time(token.last_used_at),
            act(acts::token_form(token.id, &token.name, back)),
        ]);
    }
    table
}

fn keys(mut table: Table, rows: Vec<KeyRow>, back: &str) -> Table {
    for key in rows {
        let owner: Cell = match key.user_id {
            Some(user) => link(format!("/admin/users/{user}"), key.username),
            None => text("nobody"),
        };
        table.row([
            text(key.title.clone()),
            if key.deploy { badge(Tone::Doubtful, "deploy key") } else { text("SSH key") },
            owner,
            key.expires_at.map_or_else(|| text("never"), |end| time(Some(end))),
            local(key.last_used_at),
            act(acts::key_form(key.id, &key.title, key.deploy, back)),
        ]);
    }
    table
}
