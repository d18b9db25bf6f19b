//! What a user is told after their next push.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::UserId;

/// How long a message waits for a push.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Keeps a message of a kind, `moved` or `created`, until it is delivered or five minutes have passed.
///
/// # Errors
/// Where the database does not answer, or takes no writes.
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
