//! `gatehouse audit tail`: what happened to credentials, newest last.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Subcommand};

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
    /// Print the newest events, a line each
    Tail {
        /// Go on printing events as they happen
        #[arg(long, short)]
        follow: bool,
        /// How many to begin with
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: u32,
    },
}

impl AuditCommand {
    /// Prints events on standard output.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let AuditSubcommand::Tail { follow, limit } = self.command;
        let db = Db::new(&settings.gatehouse.database)?;
        let newest = audit_events::list(db.pool(), 0, limit.max(u32::from(OVERLAP))).await?;
        let skipped = newest.len().saturating_sub(usize::try_from(limit)?);
        newest.iter().skip(skipped).for_each(|event| println!("{}", line(event)));
        let mut seen: BTreeSet<i64> = newest.iter().map(|event| event.id).collect();
        if !follow {
            return Ok(());
        }
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let last = seen.last().copied().unwrap_or_default();
            let after = (last - i64::from(OVERLAP)).max(0);
            // What is above the overlap was never seen, so the look is as wide as both together.
            for event in audit_events::list(db.pool(), after, 2 * u32::from(OVERLAP)).await? {
                if seen.insert(event.id) {
                    println!("{}", line(&event));
                }
            }
            seen = seen.split_off(&after);
        }
    }
}

/// `2026-11-21T04:00:00Z personal_access_token_issued by rubi on User rubi: PersonalAccessToken 3 ci (Scopes: api)`
fn line(event: &EventRow) -> String {
    let at = event.created_at.and_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let name = event.detail("event_name").unwrap_or_default();
    let target = if event.target.is_empty() { String::new() } else { format!(": {}", event.target) };
    let message = event.detail("custom_message").filter(|message| !message.is_empty());
    let message = message.map_or_else(String::new, |message| format!(" ({message})"));
    let ip = event.ip_address.as_ref().map_or_else(String::new, |ip| format!(" from {ip}"));
    let line = format!("{at} {name} by {} on {}{target}{message}{ip}", event.author, event.entity);
    // A token's name is its owner's to choose, and must not look like another line.
    line.replace(char::is_control, " ")
}
