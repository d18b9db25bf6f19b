//! How many pushes to a repository are under way.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use super::Result;

/// How long a counter is believed after its last increase: a push may be refused after it was counted, and nobody says
/// so.
const LIFETIME: TimeDelta = TimeDelta::seconds(600);

/// Counts a push that begins, and says how many are under way with it.
pub async fn increase(db: impl PgExecutor<'_>, gl_repository: &str, now: DateTime<Utc>) -> Result<i32> {
    let value = sqlx::query_scalar!(
        "insert into reference_counters (gl_repository, value, expires_at)
         values ($1, 1, $3)
         on conflict (gl_repository) do update
         set
           value = case when reference_counters.expires_at <= $2 then 1 else reference_counters.value + 1 end,
           expires_at = excluded.expires_at
         returning value",
        gl_repository,
        now,
        now + LIFETIME,
    )
    .fetch_one(db)
    .await?;
    Ok(value)
}

/// Counts a push that has ended. A counter that is not there, or has expired, stays at zero.
pub async fn decrease(db: impl PgExecutor<'_>, gl_repository: &str, now: DateTime<Utc>) -> Result<()> {
    // One row and no condition on its value, so that the update that waits for another one sees what that one left.
    sqlx::query!(
        "update reference_counters
         set value = case when expires_at <= $2 then 0 else greatest(value - 1, 0) end
         where gl_repository = $1",
        gl_repository,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How many pushes are under way: what a move, a rename or a removal waits for to be zero.
pub async fn find(db: impl PgExecutor<'_>, gl_repository: &str, now: DateTime<Utc>) -> Result<i32> {
    let value = sqlx::query_scalar!(
        "select value from reference_counters where gl_repository = $1 and expires_at > $2",
        gl_repository,
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(value.unwrap_or_default())
}

/// Forgets the counters that say nothing any more.
pub async fn delete_expired(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query!("delete from reference_counters where expires_at <= $1", now).execute(db).await?;
    Ok(deleted.rows_affected())
}
