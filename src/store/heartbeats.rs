//! Whether shared state can be kept now.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;

/// Writes a beat and reads it back; true where what was read is what was written.
pub async fn beat(db: impl PgExecutor<'_>, name: &str, now: DateTime<Utc>) -> Result<bool> {
    let written = sqlx::query_scalar!(
        "insert into heartbeats (name, beat_at)
         values ($1, $2)
         on conflict (name) do update
         set beat_at = greatest(heartbeats.beat_at, excluded.beat_at)
         returning beat_at >= $2 as \"kept!\"",
        name,
        now,
    )
    .fetch_one(db)
    .await?;
    Ok(written)
}
