//! When keys, tokens and users were last seen. Rows are locked in the order of their ids, and those that somebody else
//! holds are passed over, so that two servers do not wait for each other.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;

use super::Result;

/// Keys that were used; nothing where that was noted within the last day.
pub async fn update_keys(db: impl PgExecutor<'_>, keys: &[i64], at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "with stale as (
           select id
           from keys
           where id = any ($1)
             and (last_used_at is null or last_used_at < $2::timestamp - interval '1 day')
           order by id
           for update skip locked
         )
         update keys
         set last_used_at = $2
         from stale
         where keys.id = stale.id",
        keys,
        at.naive_utc(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Personal access tokens that were used; nothing where that was noted within the last ten minutes.
pub async fn update_tokens(db: impl PgExecutor<'_>, tokens: &[i64], at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "with stale as (
           select id
           from personal_access_tokens
           where id = any ($1)
             and (last_used_at is null or last_used_at <= $2::timestamptz - interval '10 minutes')
           order by id
           for update skip locked
         )
         update personal_access_tokens
         set last_used_at = $2
         from stale
         where personal_access_tokens.id = stale.id",
        tokens,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Users that were active; nothing where that was noted that day.
pub async fn update_users(db: impl PgExecutor<'_>, users: &[i64], on: NaiveDate) -> Result<()> {
    sqlx::query!(
        "with stale as (
           select id
           from users
           where id = any ($1)
             and (last_activity_on is null or last_activity_on < $2)
           order by id
           for update skip locked
         )
         update users
         set last_activity_on = $2
         from stale
         where users.id = stale.id",
        users,
        on,
    )
    .execute(db)
    .await?;
    Ok(())
}
