//! Git attempts that were refused, for whoever is asked why.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::Result;
use crate::domain::ids::{ProjectId, UserId};

/// A refused attempt, as it is kept. Texts are cut to what the table takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRefusal {
    /// When it was refused.
    pub created_at: DateTime<Utc>,
    /// The rule's id in the contract, the name of the push rule's setting, or `rate_limit`.
    pub rule: String,
    /// What the user was told.
    pub message: String,
    /// Who, as the request named them: `key-7`, `user-3`, or a username.
    pub actor: String,
    /// The user who acted, where they are known.
    pub user: Option<UserId>,
    /// Their name then.
    pub username: Option<String>,
    /// What was asked for.
    pub target: String,
    /// The project that was found.
    pub project: Option<ProjectId>,
    /// `git-upload-pack` or `git-receive-pack`
    pub command: String,
    /// `ssh`, `http`, `web`
    pub protocol: String,
    /// Of a push, the ref that was refused or the first one.
    pub ref_name: Option<String>,
    /// What the ref named before.
    pub old_id: Option<String>,
    /// What it was to name.
    pub new_id: Option<String>,
    /// Where the client connected from, where that was told.
    pub client_ip: Option<IpAddr>,
    /// The request's correlation id.
    pub correlation_id: String,
    /// How many refusals before this one were not kept, for there were too many.
    pub skipped: i64,
}

/// A refusal with its id, which grows with time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRefusal {
    /// `access_refusals.id`
    pub id: i64,
    /// What was refused.
    pub refusal: AccessRefusal,
}

/// Which refusals to list. What is absent does not restrict.
#[derive(Debug, Clone, Default)]
pub struct RefusalFilter {
    /// Of this user.
    pub user: Option<UserId>,
    /// Of this project.
    pub project: Option<ProjectId>,
    /// By this rule.
    pub rule: Option<String>,
    /// Of this request.
    pub correlation_id: Option<String>,
    /// With an id above this one.
    pub after: Option<i64>,
    /// With an id below this one.
    pub before: Option<i64>,
}

/// Keeps refusals, all in one statement.
pub async fn insert(db: impl PgExecutor<'_>, refusals: &[AccessRefusal]) -> Result<()> {
    fn column<T>(refusals: &[AccessRefusal], value: impl Fn(&AccessRefusal) -> T) -> Vec<T> {
        refusals.iter().map(value).collect()
    }
    sqlx::query!(
        "insert into access_refusals (
           created_at, rule, message, actor, user_id, username, target, project_id, command, protocol, ref_name, old_id,
           new_id, client_ip, correlation_id, skipped
         )
         select
           created_at, left(rule, 64), left(message, 2000), left(actor, 255), user_id, left(username, 255),
           left(target, 1024), project_id, left(command, 64), left(protocol, 64), left(ref_name, 1024), left(old_id, 64),
           left(new_id, 64), client_ip::inet, left(correlation_id, 255), skipped
         from unnest(
           $1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::bigint[],
           $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[]
         ) as refusal (
           created_at, rule, message, actor, user_id, username, target, project_id, command, protocol, ref_name, old_id,
           new_id, client_ip, correlation_id, skipped
         )",
        &column(refusals, |refusal| refusal.created_at),
        &column(refusals, |refusal| storable(&refusal.rule)),
        &column(refusals, |refusal| storable(&refusal.message)),
        &column(refusals, |refusal| storable(&refusal.actor)),
        &column(refusals, |refusal| refusal.user.map(|user| user.0)) as &[Option<i64>],
        &column(refusals, |refusal| refusal.username.as_deref().map(storable)) as &[Option<String>],
        &column(refusals, |refusal| storable(&refusal.target)),
        &column(refusals, |refusal| refusal.project.map(|project| project.0)) as &[Option<i64>],
        &column(refusals, |refusal| storable(&refusal.command)),
        &column(refusals, |refusal| storable(&refusal.protocol)),
        &column(refusals, |refusal| refusal.ref_name.as_deref().map(storable)) as &[Option<String>],
        &column(refusals, |refusal| refusal.old_id.clone()) as &[Option<String>],
        &column(refusals, |refusal| refusal.new_id.clone()) as &[Option<String>],
        &column(refusals, |refusal| refusal.client_ip.map(|ip| ip.to_string())) as &[Option<String>],
        &column(refusals, |refusal| storable(&refusal.correlation_id)),
        &column(refusals, |refusal| refusal.skipped),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A client may name anything; PostgreSQL's text holds no NUL.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The newest refusals that the filter lets through, at most `limit`, newest first.
pub async fn list(db: impl PgExecutor<'_>, filter: &RefusalFilter, limit: u32) -> Result<Vec<KeptRefusal>> {
    let mut query = select(filter);
    if let Some(after) = filter.after {
        query.push(" and id > ").push_bind(after);
    }
    if let Some(before) = filter.before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(" order by id desc limit ").push_bind(i64::from(limit));
    let rows: Vec<RefusalRow> = query.build_query_as().fetch_all(db).await?;
    Ok(rows.into_iter().map(KeptRefusal::from).collect())
}

/// Forgets what is older than `since`, and of the rest all but the newest `keep`, some thousand rows a call; how many
/// rows these were.
pub async fn delete_old(db: impl PgExecutor<'_>, since: DateTime<Utc>, keep: u32) -> Result<u64> {
    let done = sqlx::query!(
        "delete from access_refusals
         where id in (
           select id
           from access_refusals
           where created_at < $1
             or id <= (select id from access_refusals order by id desc offset $2 limit 1)
           order by id
           limit 10000
         )",
        since,
        i64::from(keep)
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// What selects the rows of a filter, but for the ids that it wants: pages have their own.
pub(super) fn select(filter: &RefusalFilter) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(
        "select id, created_at, rule, message, actor, user_id, username, target, project_id, command, protocol, ref_name,
           old_id, new_id, host(client_ip) as client_ip, correlation_id, skipped
         from access_refusals
         where true",
    );
    if let Some(user) = filter.user {
        query.push(" and user_id = ").push_bind(user.0);
    }
    if let Some(project) = filter.project {
        query.push(" and project_id = ").push_bind(project.0);
    }
    if let Some(rule) = &filter.rule {
        query.push(" and rule = ").push_bind(rule.clone());
    }
    if let Some(correlation_id) = &filter.correlation_id {
        query.push(" and correlation_id = ").push_bind(correlation_id.clone());
    }
    query
}

/// A row, as it lies in the table.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct RefusalRow {
    id: i64,
    created_at: DateTime<Utc>,
    rule: String,
    message: String,
    actor: String,
    user_id: Option<i64>,
    username: Option<String>,
    target: String,
    project_id: Option<i64>,
    command: String,
    protocol: String,
    ref_name: Option<String>,
    old_id: Option<String>,
    new_id: Option<String>,
    client_ip: Option<String>,
    correlation_id: String,
    skipped: i64,
}

impl From<RefusalRow> for KeptRefusal {
    fn from(row: RefusalRow) -> Self {
        let refusal = AccessRefusal {
            created_at: row.created_at,
            rule: row.rule,
            message: row.message,
            actor: row.actor,
            user: row.user_id.map(UserId),
            username: row.username,
            target: row.target,
            project: row.project_id.map(ProjectId),
            command: row.command,
            protocol: row.protocol,
            ref_name: row.ref_name,
            old_id: row.old_id,
            new_id: row.new_id,
            client_ip: row.client_ip.and_then(|ip| ip.parse().ok()),
            correlation_id: row.correlation_id,
            skipped: row.skipped,
        };
        Self { id: row.id, refusal }
    }
}
