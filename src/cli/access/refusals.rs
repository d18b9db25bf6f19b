//! `gatehouse access refusals`: git attempts that were refused, newest last.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use chrono::SecondsFormat;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{self, Cell, Listing, OutputArgs};
use crate::config::Settings;
use crate::store::access_refusals::{self, KeptRefusal, RefusalFilter};
use crate::store::{Db, access_lists};

/// Refusals that are read at once.
const PAGE: u32 = 1000;

/// Print the git attempts that were refused, oldest first: who, what, where, by which rule, and what they were told
///
/// They are kept for `gatehouse.refusals.keep_days` days. Of a flood some are kept, with how many were not.
#[derive(Debug, Args)]
pub struct RefusalsCommand {
    /// Go on printing refusals as they happen
    #[arg(long, short)]
    follow: bool,
    /// How many to begin with
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Only of this user: the username, or the id
    #[arg(long, value_name = "NAME|ID")]
    user: Option<String>,
    /// Only of the project under this path
    #[arg(long, value_name = "PATH")]
    project: Option<String>,
    /// Only by this rule: its id in the contract, or the push rule's setting
    #[arg(long)]
    rule: Option<String>,
    /// Only of the request with this correlation id
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl RefusalsCommand {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut filter = RefusalFilter {
            rule: self.rule.clone(),
            correlation_id: self.correlation_id.clone(),
            ..RefusalFilter::default()
        };
        if let Some(name) = &self.user {
            let user = access_lists::find_user(&db, name).await?;
            filter.user = Some(user.with_context(|| format!("there is no user {name}"))?);
        }
        if let Some(path) = &self.project {
            let project = access_lists::find_project(&db, path).await?;
            filter.project = Some(project.with_context(|| format!("there is no project {path}"))?.id);
        }
        let mut newest = access_refusals::list(&db, &filter, self.limit).await?;
        newest.reverse();
        let mut listing = Listing::new(output::stdout(), self.output.shape(), HEAD);
        listing.write(&newest, cells, object)?;
        if !self.follow {
            output::say_if_empty(self.output.shape(), &newest, "nothing was refused");
            return Ok(ExitCode::SUCCESS);
        }
        let mut seen: std::collections::BTreeSet<i64> = newest.iter().map(|kept| kept.id).collect();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Servers write at the same time, and a row that is seen later may have a lower id.
            let last = seen.last().copied().unwrap_or_default();
            let after = (last - i64::from(PAGE)).max(0);
            let asked = RefusalFilter { after: Some(after), ..filter.clone() };
            let mut found = access_refusals::list(&db, &asked, 2 * PAGE).await?;
            found.reverse();
            let begun = newest.first().map_or(0, |kept| kept.id);
            listing.write(found.iter().filter(|kept| kept.id >= begun && seen.insert(kept.id)), cells, object)?;
            seen = seen.split_off(&after);
        }
    }
}

const HEAD: [&str; 8] = ["TIME", "RULE", "WHO", "DID", "WHERE", "FROM", "REQUEST", "WAS TOLD"];

fn cells(kept: &KeptRefusal) -> [Cell; 8] {
    let refusal = &kept.refusal;
    let who = match &refusal.username {
        Some(name) => format!("{} ({name})", refusal.actor),
        None => refusal.actor.clone(),
    };
    let place = match &refusal.ref_name {
        Some(name) => format!("{} {name}", refusal.target),
        None => refusal.target.clone(),
    };
    let told = match refusal.skipped {
        0 => refusal.message.clone(),
        skipped => format!("{} (and {skipped} refusals before it that were not kept)", refusal.message),
    };
    [
        refusal.created_at.to_rfc3339_opts(SecondsFormat::Secs, true).into(),
        refusal.rule.as_str().into(),
        who.into(),
        format!("{} by {}", refusal.command, refusal.protocol).into(),
        place.into(),
        refusal.client_ip.map_or_else(|| "-".to_owned(), |ip| ip.to_string()).into(),
        refusal.correlation_id.as_str().into(),
        told.trim().into(),
    ]
}

fn object(kept: &KeptRefusal) -> Value {
    let refusal = &kept.refusal;
    json!({
        "id": kept.id,
        "at": refusal.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "rule": refusal.rule,
        "message": refusal.message,
        "actor": refusal.actor,
        "user_id": refusal.user.map(|user| user.0),
        "username": refusal.username,
        "target": refusal.target,
        "project_id": refusal.project.map(|project| project.0),
        "command": refusal.command,
        "protocol": refusal.protocol,
        "ref": refusal.ref_name,
        "old": refusal.old_id,
        "new": refusal.new_id,
        "ip": refusal.client_ip,
        "correlation_id": refusal.correlation_id,
        "skipped": refusal.skipped,
    })
}
