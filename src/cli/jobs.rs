//! `gatehouse jobs`: what waits in the queue, what has failed and why; and what an operator does about it.

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::output::{self, Cell, Listing, OutputArgs};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::web_hook::HookReadiness;
use crate::services::tend_queue;
use crate::store::jobs::{self, JobRow};
use crate::store::web_hooks::{self, FailingHook};
use crate::store::{self, Db};

/// Look after the job queue: what waits, what has failed and why
///
/// A job that has failed is tried again after a pause that grows. One that has failed for good is dead: it stays, with
/// its last error, until it is retried or dropped, or `gatehouse.jobs.keep_dead` days have passed.
///
/// A web hook whose receiver fails four times in a row pauses for a minute, and after each further failure for twice as
/// long, up to a day; what is to be delivered to it waits. After the 40th failure it is disabled, until it is enabled
/// here.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List the jobs of the queue, the dead ones first
    List(JobFilter),
    /// Try jobs again now, with all their attempts
    Retry(JobIds),
    /// Remove jobs: what they were to do is not done
    Drop(JobIds),
    /// List the web hooks whose receivers fail: those that pause, and those that are disabled
    Hooks(HookFilter),
    /// Enable web hooks that pause or are disabled, and deliver now what waits for them or has failed for good
    Enable(HookIds),
}

/// Which jobs to list.
#[derive(Debug, Args)]
pub struct JobFilter {
    /// Only jobs in this state
    #[arg(long, value_enum)]
    state: Option<JobStateFilter>,
    /// Jobs at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which hooks to list.
#[derive(Debug, Args)]
pub struct HookFilter {
    /// Hooks at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which hooks are meant.
#[derive(Debug, Args)]
pub struct HookIds {
    /// The ids, as `hooks` shows them
    #[arg(required = true, value_name = "HOOK", value_parser = clap::value_parser!(i64).range(1..))]
    ids: Vec<i64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum JobStateFilter {
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
pub struct JobIds {
    /// The ids, as `list` shows them
    #[arg(required = true, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    ids: Vec<i64>,
}

impl JobsCommand {
    /// Does it, and says what was done.
    pub async fn run(self, settings: &Settings) -> anyhow::Result<()> {
        let db = Db::new(&settings.gatehouse.database)?;
        let mut connection = db.acquire().await.context("the database does not answer")?;
        match self {
            Self::List(JobFilter { state, limit, output }) => {
                let state = state.map(JobStateFilter::word);
                let jobs = jobs::list(&mut *connection, state, limit.into()).await.map_err(explain)?;
                let now = Clock::system().now();
                let mut listing = Listing::new(output::stdout(), output.shape(), HEAD);
                listing.write(&jobs, |job| cells(job, now), object)?;
                output::say_if_empty(output.shape(), &jobs, "no jobs");
            }
            Self::Retry(JobIds { ids }) => {
                let done = tend_queue::retry(&db, &ids, None, Clock::system().now()).await.map_err(explain)?;
                report("job", &ids, &done, "will be tried again now")?;
            }
            Self::Drop(JobIds { ids }) => {
                let done = tend_queue::drop_jobs(&db, &ids, None, Clock::system().now()).await.map_err(explain)?;
                report("job", &ids, &done, "dropped")?;
            }
            Self::Hooks(HookFilter { limit, output }) => {
                let hooks = web_hooks::list_failing(&mut *connection, limit.into()).await.map_err(explain)?;
                let now = Clock::system().now();
                let mut listing = Listing::new(output::stdout(), output.shape(), HOOK_HEAD);
                listing.write(&hooks, |hook| hook_cells(hook, now), |hook| hook_object(hook, now))?;
                output::say_if_empty(output.shape(), &hooks, "no hooks whose receivers fail");
            }
            Self::Enable(HookIds { ids }) => {
                let done = tend_queue::enable_hooks(&db, &ids, None, Clock::system().now()).await.map_err(explain)?;
                report("hook", &ids, &done, "enabled")?;
            }
        }
        Ok(())
    }
}

impl JobStateFilter {
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
    anyhow::Error::from(error).context("cannot read the queue")
}

fn report(noun: &str, asked: &[i64], done: &[i64], what: &str) -> anyhow::Result<()> {
    for id in done {
        println!("{noun} {id}: {what}");
    }
    let missed: Vec<String> = asked.iter().filter(|id| !done.contains(id)).map(ToString::to_string).collect();
    match (missed.is_empty(), noun) {
        (true, _) => Ok(()),
        (false, "job") => bail!(
            "not in the queue, or being worked on: {}; `gatehouse jobs list` shows what is there",
            missed.join(", ")
        ),
        (false, _) => {
            bail!("there is no such {noun}: {}; `gatehouse jobs hooks` shows those that fail", missed.join(", "))
        }
    }
}

const HEAD: [&str; 7] = ["ID", "STATE", "JOB", "ATTEMPTS", "AGE", "NEXT", "LAST ERROR"];

/// A job; its last error in the last column, on one line.
fn cells(job: &JobRow, now: DateTime<Utc>) -> [Cell; 7] {
    let next = match job.state.as_str() {
        "waiting" | "retrying" if job.run_at > now => format!("in {}", span(job.run_at, now)),
        "waiting" | "retrying" => "now".to_owned(),
        _ => "-".to_owned(),
    };
    let state = match job.state.as_str() {
        "dead" => Cell::bad("dead"),
        "retrying" => Cell::doubtful("retrying"),
        state => Cell::from(state),
    };
    [
        Cell::number(job.id),
        state,
        job.task.as_str().into(),
        format!("{}/{}", job.attempts, job.max_attempts).into(),
        span(now, job.created_at).into(),
        next.into(),
        job.last_error.as_deref().map_or_else(|| "-".to_owned(), jobs::plain_error).into(),
    ]
}

fn object(job: &JobRow) -> Value {
    json!({
        "id": job.id,
        "state": job.state,
        "job": job.task,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "created_at": job.created_at,
        "run_at": job.run_at,
        "last_error": job.last_error.as_deref().map(jobs::plain_error),
    })
}

const HOOK_HEAD: [&str; 7] = ["HOOK", "STATE", "FAILURES", "OWNER", "NEXT", "DELIVERIES", "LAST ANSWER"];

/// A hook, with what its receiver answered last.
fn hook_cells(hook: &FailingHook, now: DateTime<Utc>) -> [Cell; 7] {
    let (state, next) = match hook.health.readiness(now) {
        HookReadiness::Ready => (Cell::from("failing"), "now".to_owned()),
        HookReadiness::PausedUntil(until) => (Cell::doubtful("paused"), format!("in {}", span(until, now))),
        HookReadiness::Disabled => (Cell::bad("disabled"), "-".to_owned()),
    };
    [
        Cell::number(hook.id),
        state,
        Cell::number(hook.health.recent_failures.into()),
        hook.owner.as_str().into(),
        next.into(),
        Cell::number(hook.deliveries),
        hook.last_answer.as_deref().map_or_else(|| "-".to_owned(), jobs::plain_error).into(),
    ]
}

fn hook_object(hook: &FailingHook, now: DateTime<Utc>) -> Value {
    let (state, paused_until) = match hook.health.readiness(now) {
        HookReadiness::Ready => ("failing", None),
        HookReadiness::PausedUntil(until) => ("paused", Some(until)),
        HookReadiness::Disabled => ("disabled", None),
    };
    json!({
        "id": hook.id,
        "state": state,
        "failures": hook.health.recent_failures,
        "owner": hook.owner,
        "paused_until": paused_until,
        "deliveries": hook.deliveries,
        "last_answer": hook.last_answer.as_deref().map(jobs::plain_error),
    })
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::output::{OutputShape, printed};
    use super::*;
    use crate::domain::web_hook::HookHealth;

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
        let table = printed(OutputShape::Table, HEAD, |list| list.write(&jobs, |job| cells(job, now), object));
        insta::assert_snapshot!(table, @r#"
         ID  STATE     JOB              ATTEMPTS  AGE  NEXT   LAST ERROR
          7  dead      deliver_webhook  10/10     3h   -      the receiver "x" answered 404
         12  retrying  deliver_webhook  2/10      3h   in 7s  connect
        108  waiting   post_receive     0/10      3h   now    -
        "#);
        let line = printed(OutputShape::Json, HEAD, |list| list.write(&jobs[..1], |job| cells(job, now), object));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&line["state"], &line["run_at"]), (&json!("dead"), &json!("1970-01-02T00:00:00Z")));
    }

    #[test]
    fn hooks_that_fail_are_shown_in_columns() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let hook = |id, owner: &str, failures, until: Option<i64>, answer: Option<&str>| FailingHook {
            id,
            owner: owner.to_owned(),
            health: HookHealth::of(
                owner == "the instance",
                failures,
                until.map(|seconds| now + TimeDelta::seconds(seconds)),
            ),
            deliveries: 3,
            last_answer: answer.map(str::to_owned),
        };
        let hooks = [
            hook(12, "acme/web", 40, Some(86400), Some("503")),
            hook(7, "acme", 9, Some(1920), Some("operation timed out")),
            hook(8, "acme/api", 2, None, None),
        ];
        let shaped = |shape| {
            printed(shape, HOOK_HEAD, |list| {
                list.write(&hooks, |hook| hook_cells(hook, now), |hook| hook_object(hook, now))
            })
        };
        insta::assert_snapshot!(shaped(OutputShape::Table), @r"
        HOOK  STATE     FAILURES  OWNER     NEXT    DELIVERIES  LAST ANSWER
          12  disabled        40  acme/web  -                3  503
           7  paused           9  acme      in 32m           3  operation timed out
           8  failing          2  acme/api  now              3  -
        ");
        let lines = shaped(OutputShape::Json);
        let paused: Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&paused["state"], &paused["paused_until"]), (&json!("paused"), &json!("1970-01-02T00:32:00Z")));
    }
}
