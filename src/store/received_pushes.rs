//! Pushes that were reported to us, until they are processed and can no longer be reported twice.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::PushId;

/// How long a repeated report is recognised.
const MEMORY: TimeDelta = TimeDelta::minutes(10);

/// A push as Gitaly reports it.
#[derive(Debug)]
pub struct ReceivedPush {
    /// What was pushed to: `project-7`.
    pub gl_repository: String,
    /// Who pushed: `key-11`, `user-7`, or nothing.
    pub identifier: String,
    /// Lines of `old new ref`.
    pub changes: String,
    /// The options that we know, as GitLab's jobs take them.
    pub push_options: Value,
    /// When it was reported.
    pub received_at: DateTime<Utc>,
}

/// Keeps a push; nothing where a push of this key is kept already. Whoever comes at the same moment waits to see.
pub async fn insert(db: impl PgExecutor<'_>, dedupe_key: &[u8], push: &ReceivedPush) -> Result<Option<PushId>> {
    let id = sqlx::query_scalar!(
        "insert into received_pushes (dedupe_key, gl_repository, identifier, changes, push_options, received_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (dedupe_key) do nothing
         returning id",
        dedupe_key,
        push.gl_repository,
        push.identifier,
        push.changes,
        push.push_options,
        push.received_at,
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(PushId))
}

/// A push that is not processed yet.
pub async fn find_unprocessed(db: impl PgExecutor<'_>, id: PushId) -> Result<Option<ReceivedPush>> {
    let push = sqlx::query_as!(
        ReceivedPush,
        "select gl_repository, identifier, changes, push_options, received_at
         from received_pushes
         where id = $1
           and processed_at is null",
        id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(push)
}

/// Notes that a push is processed, and forgets all of it but its key. False where somebody else has noted that: of two
/// who process a push at once, the second waits here for the first.
pub async fn update_processed(db: impl PgExecutor<'_>, id: PushId, now: DateTime<Utc>) -> Result<bool> {
    let updated = sqlx::query!(
        "update received_pushes
         set processed_at = $2, changes = ''
         where id = $1
           and processed_at is null",
        id.0,
        now,
    )
    .execute(db)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Forgets the pushes that are processed and can no longer be reported twice.
pub async fn delete_processed(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query!(
        "delete from received_pushes
         where received_at <= $1
           and processed_at is not null",
        now - MEMORY,
    )
    .execute(db)
    .await?;
    Ok(deleted.rows_affected())
}
