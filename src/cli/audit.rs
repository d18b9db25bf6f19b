//! `gatehouse audit tail`: what happened to credentials, newest last.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{self, Cell, Listing, OutputArgs};
use crate::config::Settings;
use crate::store::Db;
use crate::store::audit_events::{self, EventRow};

/// Events that a look back takes at most. Events get their ids before their transactions end, so a later look may find
/// an event with an id below one that was seen.
const OVERLAP: u16 = 1000;

/// Read the audit events: credentials minted, refused and revoked, and git operations where they are audited
#[derive(Debug, Args)]
pub struct AuditCommand {
    #[command(subcommand)]
    command: AuditSubcommand,
}

#[derive(Debug, Subcommand)]
enum AuditSubcommand {
    /// Print the newest events, oldest first
    Tail {
        /// Go on printing events as they happen
        #[arg(long, short)]
        follow: bool,
        /// How many to begin with
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        output: OutputArgs,
    },
}

impl AuditCommand {
    /// Prints events on standard output.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let AuditSubcommand::Tail { follow, limit, output } = self.command;
        let db = Db::new(&settings.gatehouse.database)?;
        let newest = audit_events::list(db.pool(), 0, limit.max(u32::from(OVERLAP))).await?;
        let skipped = newest.len().saturating_sub(usize::try_from(limit)?);
        let mut listing = Listing::new(output::stdout(), output.shape(), HEAD);
        listing.write(newest.iter().skip(skipped), cells, object)?;
        let mut seen: BTreeSet<i64> = newest.iter().map(|event| event.id).collect();
        if !follow {
            output::say_if_empty(output.shape(), &newest, "no audit events");
            return Ok(());
        }
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let last = seen.last().copied().unwrap_or_default();
            let after = (last - i64::from(OVERLAP)).max(0);
            // What is above the overlap was never seen, so the look is as wide as both together.
            let found = audit_events::list(db.pool(), after, 2 * u32::from(OVERLAP)).await?;
            listing.write(found.iter().filter(|event| seen.insert(event.id)), cells, object)?;
            seen = seen.split_off(&after);
        }
    }
}

const HEAD: [&str; 7] = ["TIME", "EVENT", "BY", "ON", "FROM", "WHAT", "MESSAGE"];

fn cells(event: &EventRow) -> [Cell; 7] {
    [
        time(event).into(),
        event.detail("event_name").unwrap_or_default().into(),
        event.author.as_str().into(),
        event.entity.as_str().into(),
        event.ip_address.as_deref().unwrap_or("-").into(),
        event.target.as_str().into(),
        event.detail("custom_message").unwrap_or_default().into(),
    ]
}

fn object(event: &EventRow) -> Value {
    json!({
        "id": event.id,
        "at": time(event),
        "event": event.detail("event_name"),
        "author": event.author,
        "entity": event.entity,
        "target": event.target,
        "message": event.detail("custom_message"),
        "ip_address": event.ip_address,
    })
}

fn time(event: &EventRow) -> String {
    event.created_at.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true)
}
