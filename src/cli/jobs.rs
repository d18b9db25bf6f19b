//! `gatehouse jobs`: what waits in the queue, what has failed and why; and what an operator does about it.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};

use crate::config::Settings;
use crate::store::jobs::{self, JobRow};
use crate::store::{self, Db};

/// What can be done with jobs.
///
/// A job that has failed is tried again after a pause that grows. One that has failed for good is dead: it stays, with
/// its last error, until it is retried or dropped, or `gatehouse.jobs.keep_dead` days have passed.
#[derive(Debug, Subcommand)]
pub enum Jobs {
    /// List the jobs of the queue, the dead ones first
    List(List),
    /// Try jobs again now, with all their attempts
    Retry(Ids),
    /// Remove jobs: what they were to do is not done
    Drop(Ids),
}

/// Which jobs to list.
#[derive(Debug, Args)]
pub struct List {
    /// Only jobs in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Jobs at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// To be run now
    Waiting,
    /// Being worked on
    Running,
    /// To be tried again later
    Retrying,
    /// Failed for good
    Dead,
}

/// Which jobs are meant.
#[derive(Debug, Args)]
pub struct Ids {
    /// The ids, as `list` shows them
    #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    ids: Vec<i64>,
}

impl Jobs {
    /// Does it, and says what was done.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut connection = db.acquire().await.context("the database does not answer")?;
        match self {
            Self::List(List { state, limit }) => {
                let state = state.map(State::word);
                let jobs = jobs::list(&mut *connection, state, limit.into()).await.map_err(explain)?;
                print!("{}", table(&jobs, Utc::now()));
            }
            Self::Retry(Ids { ids }) => {
                let done = jobs::retry(&mut connection, &ids).await.map_err(explain)?;
                report(&ids, &done, "will be tried again now")?;
            }
            Self::Drop(Ids { ids }) => {
                let done = jobs::delete(&mut *connection, &ids).await.map_err(explain)?;
                report(&ids, &done, "dropped")?;
            }
        }
        Ok(())
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Dead => "dead",
        }
    }
}

fn explain(error: store::Error) -> anyhow::Error {
    anyhow::Error::from(error).context("cannot reach the queue; `gatehouse migrate` makes one where there is none")
}

fn report(asked: &[i64], done: &[i64], what: &str) -> anyhow::Result<()> {
    for id in done {
        println!("job {id}: {what}");
    }
    let missed: Vec<String> = asked.iter().filter(|id| !done.contains(id)).map(ToString::to_string).collect();
    if missed.is_empty() { Ok(()) } else { bail!("not in the queue, or being worked on: {}", missed.join(", ")) }
}

/// The jobs in columns; the last error in the last one, on one line.
fn table(jobs: &[JobRow], now: DateTime<Utc>) -> String {
    if jobs.is_empty() {
        return "no jobs\n".to_owned();
    }
    let head = ["ID", "STATE", "JOB", "ATTEMPTS", "AGE", "NEXT", "LAST ERROR"].map(str::to_owned);
    let rows = jobs.iter().map(|job| {
        let next = match job.state.as_str() {
            "waiting" | "retrying" if job.run_at > now => format!("in {}", span(job.run_at, now)),
            "waiting" | "retrying" => "now".to_owned(),
            _ => "-".to_owned(),
        };
        [
            job.id.to_string(),
            job.state.clone(),
            job.task.clone(),
            format!("{}/{}", job.attempts, job.max_attempts),
            span(now, job.created_at),
            next,
            job.last_error.as_deref().map_or_else(|| "-".to_owned(), error),
        ]
    });
    let rows: Vec<[String; 7]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    let mut table = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        table.push_str(line.trim_end());
        table.push('\n');
    }
    table
}

/// The largest unit of a span of time: `3d`.
fn span(later: DateTime<Utc>, earlier: DateTime<Utc>) -> String {
    let seconds = (later - earlier).num_seconds().max(0);
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// An error without what the library puts around it.
fn error(text: &str) -> String {
    let inner = text.strip_prefix("TaskError(\"").and_then(|text| text.strip_suffix("\")"));
    inner.unwrap_or(text).replace("\\\"", "\"").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn jobs_are_shown_in_columns() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let job = |id, task: &str, state: &str, attempts, wait, error: Option<&str>| JobRow {
            id,
            task: task.to_owned(),
            state: state.to_owned(),
            attempts,
            max_attempts: 10,
            run_at: now + TimeDelta::seconds(wait),
            created_at: now - TimeDelta::hours(3),
            last_error: error.map(str::to_owned),
        };
        let jobs = [
            job(7, "deliver_webhook", "dead", 10, 0, Some("TaskError(\"the receiver \\\"x\\\"\n answered 404\")")),
            job(12, "deliver_webhook", "retrying", 2, 7, Some("TaskError(\"connect\")")),
            job(108, "post_receive", "waiting", 0, -1, None),
        ];
        insta::assert_snapshot!(table(&jobs, now), @r#"
        ID   STATE     JOB              ATTEMPTS  AGE  NEXT   LAST ERROR
        7    dead      deliver_webhook  10/10     3h   -      the receiver "x" answered 404
        12   retrying  deliver_webhook  2/10      3h   in 7s  connect
        108  waiting   post_receive     0/10      3h   now    -
        "#);
        assert_eq!(table(&[], now), "no jobs\n");
    }
}
