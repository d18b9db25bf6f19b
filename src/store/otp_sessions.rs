//! Keys whose user has shown a one-time password.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::KeyId;

/// How long a session lasts, as the instance says: from a minute to a week.
pub async fn find_lifetime(db: impl PgExecutor<'_>) -> Result<TimeDelta> {
    let minutes = sqlx::query_scalar!(
        "select git_two_factor_session_expiry
         from application_settings
         order by id desc
         limit 1"
    )
    .fetch_optional(db)
    .await?;
    Ok(TimeDelta::minutes(minutes.unwrap_or(15).clamp(1, 10_080).into()))
}

/// Opens the key's session, or makes the one that is open last longer. Sessions that have ended go.
pub async fn upsert(db: &mut PgConnection, key: KeyId, expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into otp_sessions (key_id, expires_at)
         values ($1, $2)
         on conflict (key_id) do update
         set expires_at = excluded.expires_at",
        key.0,
        expires_at,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from otp_sessions
         where key_id in (
           select key_id
           from otp_sessions
           where expires_at < $1
           limit 100
           for update skip locked
         )",
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
