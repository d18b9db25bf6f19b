//! `broadcast_messages:`, messages to everyone.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{BroadcastTypeWord, Ensure, LevelWord, NumberedWord, StatedId, stated};
use crate::store::Result;
use crate::store::broadcast_messages::{self, BroadcastMessageRow};

/// A message to everyone, found by its id, or else by its text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct BroadcastMessageEntry {
    /// The text.
    #[schemars(length(min = 1, max = 65_536))]
    pub message: String,
    pub id: Option<StatedId>,
    /// Left out, it starts when it is created.
    #[schemars(extend("examples" = ["2027-01-31T22:00:00Z"]))]
    pub starts_at: Option<String>,
    /// Left out, it stays until it is removed.
    #[schemars(extend("examples" = ["2027-01-31T23:00:00Z"]))]
    pub ends_at: Option<String>,
    pub broadcast_type: Option<BroadcastTypeWord>,
    /// Whether git shows it after a push.
    pub show_in_cli: Option<bool>,
    /// Projects and pages to show it for; `*` stands for any text.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(max = 255))]
    pub target_path: Option<Option<String>>,
    /// Only for members with one of these levels; an empty list is for everybody.
    pub target_access_levels: Option<Vec<LevelWord>>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a message, or removes it.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, stated: &BroadcastMessageEntry) -> Result<()> {
    let short: String = stated.message.chars().take(40).collect();
    let what = format!("broadcast message \"{short}\"");
    let stated_id = stated.id.map(|id| id.0);
    let existing = broadcast_messages::find(&mut *run.conn, stated_id, &stated.message).await?;
    if stated.ensure.is_absent() {
        if let Some(row) = existing {
            broadcast_messages::delete(&mut *run.conn, row.id).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let by_key = existing.as_ref().map(|row| row.id);
    let Some(found) = run.identify_row(place, "broadcast_messages", stated_id, by_key).await? else { return Ok(()) };
    let mut row = existing.unwrap_or_else(|| BroadcastMessageRow {
        id: stated_id.unwrap_or(0),
        message: stated.message.clone(),
        message_html: html(&stated.message),
        starts_at: run.naive_now(),
        ends_at: never(),
        broadcast_type: 1,
        show_in_cli: true,
        target_path: None,
        target_access_levels: Vec::new(),
        dismissable: false,
    });
    let starts_at = stated.starts_at.as_ref().and_then(|text| time(run, &place.key("starts_at"), text));
    let ends_at = stated.ends_at.as_ref().and_then(|text| time(run, &place.key("ends_at"), text));
    let mut changes = FieldChanges::default();
    changes.set("message", &mut row.message, Some(stated.message.clone()));
    row.message_html = html(&row.message);
    changes.set("starts_at", &mut row.starts_at, starts_at);
    changes.set("ends_at", &mut row.ends_at, ends_at);
    changes.small_word("broadcast_type", &mut row.broadcast_type, stated.broadcast_type);
    changes.set("show_in_cli", &mut row.show_in_cli, stated.show_in_cli);
    changes.set("target_path", &mut row.target_path, stated.target_path.clone());
    let levels = stated.target_access_levels.as_ref();
    let levels = levels.map(|levels| levels.iter().map(|level| level.number()).collect());
    changes.set("target_access_levels", &mut row.target_access_levels, levels);
    if row.ends_at <= row.starts_at {
        run.problem(&place.key("ends_at"), "must be after the start");
    }
    let id = match found {
        FoundRow::Missing(_) => {
            let id = broadcast_messages::insert(&mut *run.conn, &row).await?;
            run.added(&what);
            id
        }
        FoundRow::Existing(id) => {
            if !changes.is_empty() {
                broadcast_messages::update(&mut *run.conn, &row).await?;
                run.updated(&what, &changes);
            }
            id
        }
    };
    run.name("broadcast_messages", &stated.message, json!({ "id": id }));
    Ok(())
}

fn time(run: &mut ApplyRun<'_>, place: &DocumentPlace, text: &str) -> Option<NaiveDateTime> {
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.naive_utc());
    if time.is_none() {
        run.problem(place, "must be a time with its zone, for example 2027-01-31T22:00:00Z");
    }
    time
}

/// The column takes no null.
fn never() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(3000, 1, 1).unwrap_or_default().into()
}

fn html(message: &str) -> String {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    format!("<p>{escaped}</p>")
}
