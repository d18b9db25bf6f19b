//! What a user is told after their next push.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::UserId;

/// How long a message waits for a push.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Keeps a message of a kind, `moved` or `created`, until it is delivered or five minutes have passed.
pub async fn upsert(
    db: impl PgExecutor<'_>,
    user: UserId,
    gl_repository: &str,
    kind: &str,
    message: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into post_push_messages (user_id, gl_repository, kind, message, expires_at)
         values ($1, $2, $3, $4, $5)
         on conflict (user_id, gl_repository, kind) do update
         set message = excluded.message, expires_at = excluded.expires_at",
        user.0,
        gl_repository,
        kind,
        message,
        now + LIFETIME,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The messages that wait for this user and repository, the move before the creation. They are delivered once: taking
/// them removes them.
pub async fn take(
    db: impl PgExecutor<'_>,
    user: UserId,
    gl_repository: &str,
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    let rows = sqlx::query!(
        "delete from post_push_messages
         where user_id = $1
           and gl_repository = $2
         returning kind, message, expires_at",
        user.0,
        gl_repository,
    )
    .fetch_all(db)
    .await?;
    let mut rows: Vec<_> = rows.into_iter().filter(|row| row.expires_at > now).collect();
    rows.sort_by_key(|row| row.kind != "moved");
    Ok(rows.into_iter().map(|row| row.message).collect())
}

/// Forgets the messages that nobody came for.
pub async fn delete_expired(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query!("delete from post_push_messages where expires_at <= $1", now).execute(db).await?;
    Ok(deleted.rows_affected())
}
