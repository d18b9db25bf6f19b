//! Who guesses credentials of git over HTTP: failures of the last minutes, by address and login, and addresses that are
//! shut out for a while.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

use super::Result;

/// How many failures of an address are too many.
#[derive(Debug, Clone, Copy)]
pub struct BanTerms {
    /// So many failures,
    pub failures: i64,
    /// in so much time
    pub within: TimeDelta,
    /// shut the address out for so long.
    pub lasts: TimeDelta,
}

/// Counts a failure of a login from an address, and says whether the address is shut out by it.
pub async fn count(
    db: impl PgExecutor<'_>,
    address: IpAddr,
    login: &str,
    now: DateTime<Utc>,
    terms: BanTerms,
) -> Result<bool> {
    let banned = sqlx::query_scalar!(
        r#"
        with counted as (
          insert into git_auth_failures as failed (address, login, failures, window_started_at)
          values ($1::text::inet, sha256(convert_to(lower($2), 'UTF8')), 1, $3)
          on conflict (address, login) do update
          set failures = case when failed.window_started_at > $4 then failed.failures + 1 else 1 end,
            window_started_at = case when failed.window_started_at > $4 then failed.window_started_at else $3 end
          returning failures, login
        ),
        recent as (
          select counted.failures + coalesce(
            (
              select sum(others.failures)
              from git_auth_failures as others
              where others.address = $1::text::inet
                and others.login <> counted.login
                and others.window_started_at > $4
            ),
            0
          ) as failures
          from counted
        ),
        banned as (
          insert into git_auth_bans (address, banned_until)
          select $1::text::inet, $5
          from recent
          where recent.failures >= $6
          on conflict (address) do update
          set banned_until = excluded.banned_until
          returning address
        )
        select exists (select from banned) as "banned!"
        "#,
        address.to_string(),
        login,
        now,
        now - terms.within,
        now + terms.lasts,
        terms.failures as _,
    );
    Ok(banned.fetch_one(db).await?)
}

/// Forgets the failures of a login from an address, which has shown that it is its owner's.
pub async fn forget(db: impl PgExecutor<'_>, address: IpAddr, login: &str) -> Result<()> {
    sqlx::query!(
        "delete from git_auth_failures
         where address = $1::text::inet
           and login = sha256(convert_to(lower($2), 'UTF8'))",
        address.to_string(),
        login,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets failures and bans that no longer count.
pub async fn delete_expired(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<u64> {
    let deleted = sqlx::query_scalar!(
        r#"
        with failures as (
          delete from git_auth_failures
          where window_started_at <= $1::timestamptz - interval '1 day'
          returning 1
        ),
        bans as (
          delete from git_auth_bans
          where banned_until <= $1
          returning 1
        )
        select (select count(*) from failures) + (select count(*) from bans) as "deleted!"
        "#,
        now,
    );
    Ok(deleted.fetch_one(db).await?.try_into().unwrap_or_default())
}
