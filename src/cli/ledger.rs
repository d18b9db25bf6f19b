//! `gatehouse ledger`: what a namespace was provisioned with, when, and who did it.

use anyhow::Context;
use chrono::SecondsFormat;
use clap::Args;
use serde_json::{Map, Value, json};

use super::output::{self, Cell, Listing, OutputArgs};
use crate::config::Settings;
use crate::domain::ids::NamespaceId;
use crate::store::ledger::{self, EntryRow};
use crate::store::{Db, provisioned_namespaces};

/// Entries that are read at once.
const PAGE: u32 = 1000;

/// Print every change of what a namespace is provisioned with, oldest first
#[derive(Debug, Args)]
pub struct LedgerCommand {
    /// The namespace's full path, or its id: one that is gone has its id alone
    namespace: String,
    #[command(flatten)]
    output: OutputArgs,
}

impl LedgerCommand {
    /// Prints the entries on standard output.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        let found = provisioned_namespaces::find(db.pool(), &self.namespace).await?;
        let id = found.map(|namespace| namespace.id).or_else(|| self.namespace.parse().ok().map(NamespaceId));
        let id = id.with_context(|| {
            format!("there is no namespace {}; one that is gone is found by its id", self.namespace)
        })?;
        let mut listing = Listing::new(output::stdout(), self.output.shape(), HEAD);
        let mut after = 0;
        loop {
            let entries = ledger::list(db.pool(), id, after, PAGE).await?;
            if after == 0 {
                output::say_if_empty(self.output.shape(), &entries, "nothing was provisioned");
            }
            let Some(last) = entries.last() else { return Ok(()) };
            after = last.id;
            listing.write(&entries, cells, object)?;
        }
    }
}

const HEAD: [&str; 7] = ["TIME", "RECORD", "ID", "WAS", "BY", "REQUEST", "WHAT"];

/// An entry; its last column says `seats 10 → 20`.
fn cells(entry: &EntryRow) -> [Cell; 7] {
    let was = match (&entry.before, &entry.after) {
        (None, _) => "made",
        (_, None) => "ended",
        _ => "changed",
    };
    let who = match entry.author_type.as_str() {
        "administrator" => format!("administrator {}", entry.author_name),
        _ => entry.author_name.clone(),
    };
    [
        entry.created_at.to_rfc3339_opts(SecondsFormat::Secs, true).into(),
        entry.record_type.as_str().into(),
        Cell::number(entry.record_id),
        was.into(),
        who.into(),
        entry.request_id.as_deref().unwrap_or("-").into(),
        differences(entry.before.as_ref(), entry.after.as_ref()).into(),
    ]
}

/// The fields that differ; of what is new or gone, those that have a value.
fn differences(before: Option<&Value>, after: Option<&Value>) -> String {
    let nothing = Map::new();
    let fields = |state: Option<&Value>| state.and_then(Value::as_object).unwrap_or(&nothing).clone();
    let (old, new) = (fields(before), fields(after));
    let names = if after.is_some() { new.keys() } else { old.keys() };
    let value = |fields: &Map<String, Value>, name: &str| match fields.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
    };
    let shown = names.filter_map(|name| match (value(&old, name), value(&new, name)) {
        (old, new) if old == new => None,
        (Some(one), None) if after.is_none() => Some(format!("{name} {one}")),
        (None, Some(one)) if before.is_none() => Some(format!("{name} {one}")),
        (old, new) => {
            Some(format!("{name} {} → {}", old.as_deref().unwrap_or("unset"), new.as_deref().unwrap_or("unset")))
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn object(entry: &EntryRow) -> Value {
    json!({
        "id": entry.id,
        "at": entry.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "record": entry.record_type,
        "record_id": entry.record_id,
        "before": entry.before,
        "after": entry.after,
        "author": { "type": entry.author_type, "id": entry.author_id, "name": entry.author_name },
        "request_id": entry.request_id,
    })
}

#[cfg(test)]
mod tests {
    use super::output::{OutputShape, printed};
    use super::*;

    fn entry(before: Option<Value>, after: Option<Value>) -> EntryRow {
        EntryRow {
            id: 1,
            created_at: "2021-06-01T12:00:00Z".parse().unwrap(),
            record_type: "subscription".to_owned(),
            record_id: 3,
            before,
            after,
            author_type: "administrator".to_owned(),
            author_id: Some(1),
            author_name: "root".to_owned(),
            request_id: Some("order-1".to_owned()),
        }
    }

    #[test]
    fn a_line_shows_what_differs() {
        let (old, new) = (json!({ "seats": 10, "end_date": null }), json!({ "seats": 20, "end_date": "2022-01-01" }));
        let entries = [
            entry(None, Some(old.clone())),
            entry(Some(old), Some(new.clone())),
            EntryRow { request_id: None, ..entry(Some(new), None) },
        ];
        let shaped = |shape| printed(shape, HEAD, |list| list.write(&entries, cells, object));
        insta::assert_snapshot!(shaped(OutputShape::Table), @r"
        TIME                  RECORD        ID  WAS      BY                  REQUEST  WHAT
        2021-06-01T12:00:00Z  subscription   3  made     administrator root  order-1  seats 10
        2021-06-01T12:00:00Z  subscription   3  changed  administrator root  order-1  end_date unset → 2022-01-01, seats 10 → 20
        2021-06-01T12:00:00Z  subscription   3  ended    administrator root  -        end_date 2022-01-01, seats 20
        ");
        assert_eq!(shaped(OutputShape::Plain).lines().next().unwrap().split('\t').count(), 7);
    }
}
