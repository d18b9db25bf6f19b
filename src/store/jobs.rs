//! The queue of jobs: the schema of `graphile_worker`, by the functions and the view that it offers to others.
//!
//! Its statements are not checked at build time: the schema is the library's own, and not part of what builds know.

#![expect(clippy::disallowed_methods, reason = "the recorded queries know no tables but ours")]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use graphile_worker::WorkerUtils;
use graphile_worker::worker_utils::types::CleanupTask;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, QueryBuilder};
use uuid::Uuid;

use super::paging::{self, KeyOrder, Page, PageRequest};
use super::{Db, Result};
use crate::domain::ids::{AlertId, NamespaceId, ProjectId, PushId, WebHookId};
use crate::telemetry::trace::{self, TraceOrigin};

/// The schema that the queue lives in.
pub const SCHEMA: &str = "graphile_worker";
/// The job of a push: `{"push": 12}`.
pub const POST_RECEIVE: &str = "post_receive";
/// The job of a delivery to a web hook: `{"delivery": "…"}`.
pub const DELIVER_WEBHOOK: &str = "deliver_webhook";
/// The job of a new alert: `{"alert": 3}`.
pub const ANNOUNCE_ALERT: &str = "announce_alert";
/// The job of memberships that an identity provider changed: `{"group": 7}`.
pub const SYNC_SCIM_MEMBERS: &str = "sync_scim_members";
/// The job of a project's repositories after a push: `{"project": 7}`.
pub const REFRESH_REPOSITORY: &str = "refresh_repository";
/// The job of a repository whose project is gone: `{"repository": 4}`.
pub const REMOVE_REPOSITORY: &str = "remove_repository";
/// The key of a payload with the trace that the job goes on with.
const TRACEPARENT: &str = "traceparent";
/// Deliveries to one receiver that are under way at once, on all servers.
const PER_RECEIVER: u128 = 8;

/// Brings the queue's schema up to date; one at a time, which [`super::migrate()`] sees to.
pub async fn migrate(db: &Db) -> anyhow::Result<()> {
    Ok(WorkerUtils::new(db.library_pool().await?, SCHEMA).migrate().await?)
}

/// Adds the job of a push, visible to workers when the caller's transaction is committed.
pub async fn insert_post_receive(db: impl PgExecutor<'_>, push: PushId) -> Result<()> {
    insert(db, POST_RECEIVE, json!({ "push": push.0 })).await
}

/// Adds the job of a new alert, visible to workers when the caller's transaction is committed.
pub async fn insert_announce_alert(db: impl PgExecutor<'_>, alert: AlertId) -> Result<()> {
    insert(db, ANNOUNCE_ALERT, json!({ "alert": alert.0 })).await
}

/// Adds the job of a delivery, visible to workers when the caller's transaction is committed. However many there are
/// for one receiver, `PER_RECEIVER` of them are under way at once.
pub async fn insert_deliver_webhook(db: impl PgExecutor<'_>, delivery: Uuid, receiver: &str) -> Result<()> {
    let lane = delivery.as_u128() % PER_RECEIVER;
    let sql = "select graphile_worker.add_job(
                 identifier => $1,
                 payload => $2::jsonb::json,
                 queue_name => $3,
                 max_attempts => $4,
                 job_key => $5
               )";
    sqlx::query(sql)
        .bind(DELIVER_WEBHOOK)
        .bind(traced(json!({ "delivery": delivery })))
        .bind(format!("{receiver} {lane}"))
        .bind(max_attempts(DELIVER_WEBHOOK))
        .bind(delivery.to_string())
        .execute(db)
        .await?;
    Ok(())
}

/// Adds the job of a group whose members an identity provider changed, visible to workers when the caller's transaction
/// is committed.
pub async fn insert_sync_scim_members(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<()> {
    insert(db, SYNC_SCIM_MEMBERS, json!({ "group": group.0 })).await
}

/// Adds the job that looks at a project's repositories after a push, visible to workers when the caller's transaction
/// is committed. Pushes that come before it is begun share it.
pub async fn insert_refresh_repository(db: impl PgExecutor<'_>, project: ProjectId) -> Result<()> {
    sqlx::query(
        "select graphile_worker.add_job(
           identifier => $1, payload => $2::jsonb::json, max_attempts => $3, job_key => $4
         )",
    )
    .bind(REFRESH_REPOSITORY)
    .bind(traced(json!({ "project": project.0 })))
    .bind(max_attempts(REFRESH_REPOSITORY))
    .bind(format!("{REFRESH_REPOSITORY}:{project}"))
    .execute(db)
    .await?;
    Ok(())
}

/// Adds the jobs of repositories that are to be removed once so much time has passed, visible to workers when the caller's
/// transaction is committed.
pub async fn insert_remove_repositories(db: impl PgExecutor<'_>, rows: &[i64], after: Duration) -> Result<()> {
    sqlx::query(
        "select graphile_worker.add_job(
           identifier => $1,
           payload => jsonb_build_object('repository', row_id)::json,
           max_attempts => $2,
           run_at => now() + $3 * interval '1 second',
           job_key => $1 || ':' || row_id
         )
         from unnest($4::bigint[]) as rows (row_id)",
    )
    .bind(REMOVE_REPOSITORY)
    .bind(max_attempts(REMOVE_REPOSITORY))
    .bind(after.as_secs_f64())
    .bind(rows)
    .execute(db)
    .await?;
    Ok(())
}

async fn insert(db: impl PgExecutor<'_>, task: &str, payload: Value) -> Result<()> {
    sqlx::query("select graphile_worker.add_job(identifier => $1, payload => $2::jsonb::json, max_attempts => $3)")
        .bind(task)
        .bind(traced(payload))
        .bind(max_attempts(task))
        .execute(db)
        .await?;
    Ok(())
}

/// The payload with the trace that makes the job. Workers that know nothing of it skip it.
fn traced(mut payload: Value) -> Value {
    if let Some(parent) = trace::parent() {
        payload[TRACEPARENT] = parent.into();
    }
    payload
}

/// The trace that made a job of this payload.
#[must_use]
pub fn origin(payload: &Value) -> TraceOrigin<'_> {
    TraceOrigin { parent: payload[TRACEPARENT].as_str(), state: None }
}

/// How often a job is tried: a push until it is through, for days; a delivery for about three and a half hours.
fn max_attempts(task: &str) -> i32 {
    if task == DELIVER_WEBHOOK { 10 } else { 25 }
}

/// A job, for people to read.
#[derive(Debug, sqlx::FromRow)]
pub struct JobRow {
    /// Its id.
    pub id: i64,
    /// What it does.
    pub task: String,
    /// waiting, running, retrying or dead.
    pub state: String,
    /// How often it was begun.
    pub attempts: i16,
    /// How often it may be.
    pub max_attempts: i16,
    /// When it is tried next.
    pub run_at: DateTime<Utc>,
    /// When it was added.
    pub created_at: DateTime<Utc>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// An error without what the library puts around it, on one line.
#[must_use]
pub fn plain_error(text: &str) -> String {
    let inner = text.strip_prefix("TaskError(\"").and_then(|text| text.strip_suffix("\")"));
    inner.unwrap_or(text).replace("\\\"", "\"").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words for a job's state, as a column of the view.
const STATE: &str = "case
  when locked_at is not null then 'running'
  when attempts >= max_attempts then 'dead'
  when attempts > 0 then 'retrying'
  else 'waiting'
end";

/// The jobs, the dead before the others and the oldest first; of one state where one is given.
pub async fn list(db: impl PgExecutor<'_>, state: Option<&str>, limit: i64) -> Result<Vec<JobRow>> {
    let sql = format!(
        "select * from (
           select
             id, task_identifier as task, {STATE} as state, attempts, max_attempts, run_at, created_at, last_error
           from graphile_worker.jobs
         ) as jobs
         where $1::text is null or state = $1
         order by state <> 'dead', id
         limit $2"
    );
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(state).bind(limit).fetch_all(db).await?)
}

/// A page of the jobs, the newest first; of one state where one is given.
pub async fn list_page(db: &Db, state: Option<&str>, request: &PageRequest) -> Result<Page<JobRow>> {
    let mut select = QueryBuilder::new(format!(
        "select * from (
           select
             id, task_identifier as task, {STATE} as state, attempts, max_attempts, run_at, created_at, last_error
           from graphile_worker.jobs
         ) as jobs
         where true"
    ));
    if let Some(state) = state {
        select.push(" and state = ").push_bind(state.to_owned());
    }
    paging::fetch(db, select, KeyOrder { columns: &["id"], descending: true }, request).await
}

/// Gives jobs that nobody works on all their attempts again, from now on. Answers with those that there were.
pub async fn retry(db: &mut PgConnection, ids: &[i64]) -> Result<Vec<i64>> {
    let rescheduled: Vec<i64> = sqlx::query_scalar(
        "select rescheduled.id
         from graphile_worker.jobs
         cross join lateral graphile_worker.reschedule_jobs(
           array[jobs.id],
           run_at => now(),
           attempts => 0,
           max_attempts => case when jobs.task_identifier = $2 then $3 else $4 end
         ) as rescheduled
         where jobs.id = any ($1)",
    )
    .bind(ids)
    .bind(DELIVER_WEBHOOK)
    .bind(max_attempts(DELIVER_WEBHOOK))
    .bind(max_attempts(POST_RECEIVE))
    .fetch_all(&mut *db)
    .await?;
    // Workers wake up by themselves once a second; this is sooner.
    sqlx::query("select pg_notify('jobs:insert', '{\"count\":1}')").execute(db).await?;
    Ok(rescheduled)
}

/// Removes jobs that nobody works on. Answers with those that there were.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<i64>> {
    let deleted = sqlx::query_scalar("select id from graphile_worker.complete_jobs($1)");
    Ok(deleted.bind(ids).fetch_all(db).await?)
}

/// Puts off a job that has failed: it is tried again after this long. A delivery waits for the end of its hook's pause
/// too.
pub async fn postpone(db: impl PgExecutor<'_>, id: i64, by: Duration, delivery: Option<Uuid>) -> Result<()> {
    sqlx::query(
        "select graphile_worker.reschedule_jobs(
           array[$1],
           run_at => greatest(
             now() + $2 * interval '1 second',
             (
               select web_hooks.disabled_until
               from web_hook_deliveries
               join web_hooks on web_hooks.id = web_hook_deliveries.web_hook_id
               where web_hook_deliveries.id = $3
             )
           )
         )",
    )
    .bind(id)
    .bind(by.as_secs_f64())
    .bind(delivery)
    .execute(db)
    .await?;
    Ok(())
}

/// Puts off all that waits to be delivered to a hook, until its pause is over.
pub async fn pause_deliveries(db: impl PgExecutor<'_>, hook: WebHookId, until: DateTime<Utc>) -> Result<()> {
    sqlx::query(
        "select graphile_worker.reschedule_jobs(
           array(
             select jobs.id
             from web_hook_deliveries
             join graphile_worker.jobs on jobs.key = web_hook_deliveries.id::text
             where web_hook_deliveries.web_hook_id = $1
               and jobs.attempts < jobs.max_attempts
               and jobs.locked_at is null
               and jobs.run_at < $2
           ),
           run_at => $2
         )",
    )
    .bind(hook.0)
    .bind(until)
    .execute(db)
    .await?;
    Ok(())
}

/// Gives all that was to be delivered to these hooks, dead or waiting, its attempts again, from now on. Says how many
/// that is.
pub async fn retry_deliveries(db: &mut PgConnection, hooks: &[i64]) -> Result<usize> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "select jobs.id
         from web_hook_deliveries
         join graphile_worker.jobs on jobs.key = web_hook_deliveries.id::text
         where web_hook_deliveries.web_hook_id = any ($1)",
    )
    .bind(hooks)
    .fetch_all(&mut *db)
    .await?;
    Ok(retry(db, &ids).await?.len())
}

/// Forgets the receivers that nothing waits for.
pub async fn tidy_receivers(db: &Db) -> Result<()> {
    WorkerUtils::new(db.library_pool().await?, SCHEMA)
        .cleanup(&[CleanupTask::GcJobQueues])
        .await
        .map_err(|error| super::Error::Query(sqlx::Error::Protocol(error.to_string())))
}

/// Takes back that the attempt which runs now counts. The library has no word for it.
pub async fn uncount_attempt(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query("update graphile_worker._private_jobs set attempts = attempts - 1 where id = $1 and attempts > 0")
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

/// Makes the attempt that runs now the job's last one: where it fails, the job is dead. The library has no word for it.
pub async fn update_last_attempt(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query("update graphile_worker._private_jobs set max_attempts = attempts where id = $1")
        .bind(id)
        .execute(db)
        .await?;
    Ok(())
}

/// Removes the dead jobs that failed for the last time before `then`.
pub async fn delete_dead(db: impl PgExecutor<'_>, then: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query(
        "select dropped.id
         from graphile_worker.complete_jobs(array(
           select id
           from graphile_worker.jobs
           where attempts >= max_attempts
             and locked_at is null
             and updated_at < $1
         )) as dropped",
    )
    .bind(then)
    .fetch_all(db)
    .await?;
    Ok(deleted.len() as u64)
}

/// The kinds of jobs that have these numbers.
pub async fn list_kinds(db: impl PgExecutor<'_>, ids: &[i32]) -> Result<BTreeMap<i32, String>> {
    let kinds = sqlx::query_as("select id, identifier from graphile_worker._private_tasks where id = any ($1)");
    let kinds: Vec<(i32, String)> = kinds.bind(ids).fetch_all(db).await?;
    Ok(kinds.into_iter().collect())
}

/// How the queue does.
#[derive(Debug, Clone, Copy, Default, sqlx::FromRow)]
pub struct QueueFacts {
    /// Jobs that could run now.
    pub ready: i64,
    /// Jobs that wait for their time, after a failure.
    pub retrying: i64,
    /// Jobs that are worked on.
    pub running: i64,
    /// Jobs that have failed for good.
    pub dead: i64,
    /// Seconds since the oldest of those that could run now might have begun.
    pub oldest_seconds: f64,
}

/// Tells the workers of all servers that jobs wait.
pub async fn announce(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query("select pg_notify('jobs:insert', '')").execute(db).await?;
    Ok(())
}

/// Tells the workers of all servers that jobs of this queue wait, where some do.
pub async fn announce_waiting(db: impl PgExecutor<'_>, queue: i32) -> Result<()> {
    sqlx::query(
        "select pg_notify('jobs:insert', '')
         where exists (
           select
           from graphile_worker._private_jobs
           where job_queue_id = $1
             and is_available
             and run_at <= now()
         )",
    )
    .bind(queue)
    .execute(db)
    .await?;
    Ok(())
}

/// How many seconds the oldest job has been waiting that could run; 0 where none does.
pub async fn find_oldest_seconds(db: impl PgExecutor<'_>) -> Result<f64> {
    let oldest = sqlx::query_scalar(
        "select coalesce(extract(epoch from now() - min(run_at)), 0)::double precision
         from graphile_worker._private_jobs
         where is_available
           and run_at <= now()",
    );
    Ok(oldest.fetch_one(db).await?)
}

/// How the queue does now.
pub async fn find_queue_facts(db: impl PgExecutor<'_>) -> Result<QueueFacts> {
    let facts = sqlx::query_as(
        "select
           count(*) filter (where alive and run_at <= now()) as ready,
           count(*) filter (where alive and run_at > now()) as retrying,
           count(*) filter (where locked_at is not null) as running,
           count(*) filter (where locked_at is null and attempts >= max_attempts) as dead,
           coalesce(
             extract(epoch from now() - min(run_at) filter (where alive and run_at <= now())),
             0
           )::double precision as oldest_seconds
         from (
           select run_at, locked_at, attempts, max_attempts, locked_at is null and attempts < max_attempts as alive
           from graphile_worker.jobs
         ) as jobs",
    )
    .fetch_one(db)
    .await?;
    Ok(facts)
}
