//! Which secrets expire next: those that a machine stops working for, and that nobody is asked to renew.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgExecutor;

use super::Result;

/// The first end of each kind of secret; `None` where none ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretExpiry {
    /// Of the personal access tokens of administrators, which CustomersDot and scripts use: the day from which on the
    /// first of them is dead.
    pub administrator_token: Option<NaiveDate>,
    /// Of the deploy keys.
    pub deploy_key: Option<DateTime<Utc>>,
}

/// The secrets that are good now and expire first.
pub async fn find_next(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<SecretExpiry> {
    let row = sqlx::query_as!(
        SecretExpiry,
        "
        select
          (
            select min(token.expires_at)
            from users
            cross join lateral (
              select expires_at
              from personal_access_tokens
              where user_id = users.id
                and expires_at > $1
                and revoked is not true
              order by expires_at
              limit 1
            ) as token
            where users.admin
          ) as administrator_token,
          (
            select min(expires_at)
            from keys
            where type = 'DeployKey'
              and expires_at > $2
          ) as deploy_key
        ",
        now.date_naive(),
        now,
    );
    Ok(row.fetch_one(db).await?)
}
