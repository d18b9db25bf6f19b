//! `gatehouse access list`: who has access to a project, or to what a user has access, and why.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::entries;
use crate::cli::output::{self, Cell, Listing, OutputArgs};
use crate::clock::Clock;
use crate::config::Settings;
use crate::services::list_access::{AccessEntry, AccessList};
use crate::store::{Db, access_lists};

pub(super) const EXIT_STATUS: &str = "\
Exit status:
  0  The list was printed. With --diff: it is the same as the earlier one.
  1  It failed; standard error says why.
  3  With --diff: something differs.";

/// List everybody and everything that has access to a project, or everything that a user has access to, each with its level
/// and the reasons
///
/// For audits: as a table, as CSV (--csv) or as JSON objects (--json). --diff compares with a list that was written before
/// with --csv or --json, and prints what differs alone.
#[derive(Debug, Args)]
pub struct ListCommand {
    #[command(flatten)]
    subject: ListSubject,
    /// Print CSV with a head
    #[arg(long, conflicts_with_all = ["json", "diff"])]
    csv: bool,
    /// Compare with this list of before, and print what was added, removed or changed
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ListSubject {
    /// The full path of the project
    #[arg(long, value_name = "PATH")]
    project: Option<String>,
    /// The user: the username, or the id
    #[arg(long, value_name = "NAME|ID")]
    user: Option<String>,
}

impl ListCommand {
    pub(super) async fn run(self, settings: &Settings) -> anyhow::Result<ExitCode> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut list = self.subject.open(&db).await?;
        let out = output::stdout();
        if let Some(earlier) = &self.diff {
            let file = File::open(earlier).with_context(|| format!("cannot read {}", earlier.display()))?;
            let mut listing = Listing::new(out, self.output.shape(), DIFF_HEAD);
            let differs = compare(&mut list, entries::read(file)?, |change| {
                listing.write([&change], change_cells, change_object)
            })
            .await?;
            return Ok(if differs { ExitCode::from(3) } else { ExitCode::SUCCESS });
        }
        if self.csv {
            let mut table = csv::Writer::from_writer(out);
            table.write_record(entries::COLUMNS)?;
            while let Some(some) = list.next().await? {
                some.iter().try_for_each(|entry| table.write_record(entries::record(entry)))?;
            }
            table.flush()?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut listing = Listing::new(out, self.output.shape(), HEAD);
        let mut any = false;
        while let Some(some) = list.next().await? {
            any = true;
            listing.write(&some, cells, entries::object)?;
        }
        if !any {
            output::say_if_empty::<AccessEntry>(self.output.shape(), &[], "nobody has access");
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl ListSubject {
    async fn open(self, db: &Db) -> anyhow::Result<AccessList> {
        let today = Clock::system().now().date_naive();
        if let Some(path) = self.project {
            let project = access_lists::find_project(db, &path).await?;
            let project = project.with_context(|| format!("there is no project {path}"))?;
            return Ok(AccessList::of_project(db, &project, today).await?);
        }
        let name = self.user.context("neither a project nor a user is named")?;
        let id = access_lists::find_user(db, &name).await?.with_context(|| format!("there is no user {name}"))?;
        let mut users = access_lists::list_users(db, &[id]).await?;
        let user = users.remove(&id).with_context(|| format!("there is no user {name}"))?;
        Ok(AccessList::of_user(db, &user, today).await?)
    }
}

const HEAD: [&str; 6] = ["KIND", "NAME", "STATE", "PROJECT", "LEVEL", "WHY"];

fn cells(entry: &AccessEntry) -> [Cell; 6] {
    [
        entry.kind.word().into(),
        entry.name.as_str().into(),
        entry.state.as_str().into(),
        entry.project.as_str().into(),
        entry.level.as_str().into(),
        entry.reasons.join(" | ").into(),
    ]
}

/// How an entry differs from the earlier list.
#[derive(Debug, PartialEq, Eq)]
enum AccessChange {
    Added(AccessEntry),
    Removed(AccessEntry),
    Changed(AccessEntry, AccessEntry),
}

const DIFF_HEAD: [&str; 6] = ["CHANGE", "KIND", "NAME", "PROJECT", "LEVEL", "WHY"];

fn change_cells(change: &AccessChange) -> [Cell; 6] {
    let (word, entry, level) = match change {
        AccessChange::Added(now) => (Cell::bad("added"), now, now.level.clone()),
        AccessChange::Removed(was) => (Cell::good("removed"), was, was.level.clone()),
        AccessChange::Changed(was, now) if was.level == now.level => (Cell::from("changed"), now, now.level.clone()),
        AccessChange::Changed(was, now) => (Cell::doubtful("changed"), now, format!("{} → {}", was.level, now.level)),
    };
    let [kind, name, _, project, _, why] = cells(entry);
    [word, kind, name, project, level.into(), why]
}

fn change_object(change: &AccessChange) -> serde_json::Value {
    let (word, was, now) = match change {
        AccessChange::Added(now) => ("added", None, Some(now)),
        AccessChange::Removed(was) => ("removed", Some(was), None),
        AccessChange::Changed(was, now) => ("changed", Some(was), Some(now)),
    };
    json!({"change": word, "was": was.map(entries::object), "now": now.map(entries::object)})
}

/// Walks both lists side by side, and whether they differ.
async fn compare(
    list: &mut AccessList,
    mut earlier: impl Iterator<Item = anyhow::Result<AccessEntry>>,
    mut tell: impl FnMut(AccessChange) -> io::Result<()>,
) -> anyhow::Result<bool> {
    let mut differs = false;
    let mut was = earlier.next().transpose()?;
    while let Some(some) = list.next().await? {
        for now in some {
            while let Some(gone) = was.take_if(|was| was.place() < now.place()) {
                differs = true;
                tell(AccessChange::Removed(gone))?;
                was = earlier.next().transpose()?;
            }
            match was.take_if(|was| was.place() == now.place()) {
                Some(same) if same == now => was = earlier.next().transpose()?,
                Some(other) => {
                    differs = true;
                    tell(AccessChange::Changed(other, now))?;
                    was = earlier.next().transpose()?;
                }
                None => {
                    differs = true;
                    tell(AccessChange::Added(now))?;
                }
            }
        }
    }
    while let Some(gone) = was {
        differs = true;
        tell(AccessChange::Removed(gone))?;
        was = earlier.next().transpose()?;
    }
    Ok(differs)
}
