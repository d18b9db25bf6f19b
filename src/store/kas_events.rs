//! Events of agents and their users: each is kept by itself, and what is unique among them is found when they are read.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::kas_usage::UsageEvent;

/// Days that events are kept for.
const KEEP: TimeDelta = TimeDelta::days(400);

/// Keeps the events of projects that exist, in one statement. A user who does not exist is left out of theirs.
pub async fn insert(db: impl PgExecutor<'_>, events: &[UsageEvent], now: DateTime<Utc>) -> Result<()> {
    let names: Vec<String> = events.iter().map(|event| event.name.to_owned()).collect();
    let users: Vec<Option<i64>> = events.iter().map(|event| event.user).collect();
    let projects: Vec<i64> = events.iter().map(|event| event.project).collect();
    let properties: Vec<String> = events.iter().map(|event| event.properties.clone()).collect();
    sqlx::query!(
        "insert into kas_events (name, user_id, project_id, properties, created_at)
         select events.name, users.id, projects.id, events.properties::jsonb, $5
         from unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[])
           with ordinality as events (name, user_id, project_id, properties, place)
         join projects on projects.id = events.project_id
         left join users on users.id = events.user_id
         order by place",
        &names,
        &users as &[Option<i64>],
        &projects,
        &properties,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets events that are long past.
pub async fn delete_expired(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query!("delete from kas_events where created_at < $1", now - KEEP).execute(db).await?;
    Ok(deleted.rows_affected())
}
