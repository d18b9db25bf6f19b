//! Answers that are kept for a while, so that a request that is sent twice takes effect once.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::crypto::seal::SealedValue;

/// The answer that was given to this request and still counts.
pub async fn find(db: impl PgExecutor<'_>, key: &[u8; 32], now: DateTime<Utc>) -> Result<Option<SealedValue>> {
    let row = sqlx::query!(
        "select body, body_iv, body_salt
         from idempotent_responses
         where key = $1
           and expires_at > $2",
        key.as_slice(),
        now,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| Some(SealedValue { ciphertext: row.body?, iv: row.body_iv?, salt: row.body_salt? })))
}

/// Takes the request for this transaction, and true says that nobody did before. A transaction that is at it is waited
/// for: once it has ended well the answer is there to be found, and otherwise the request is free.
pub async fn claim(
    transaction: &mut PgConnection,
    key: &[u8; 32],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let claimed = sqlx::query!(
        "insert into idempotent_responses (key, expires_at)
         values ($1, $2)
         on conflict (key) do update
         set expires_at = excluded.expires_at
         where idempotent_responses.expires_at <= $3",
        key.as_slice(),
        expires_at,
        now,
    )
    .execute(transaction)
    .await?;
    Ok(claimed.rows_affected() == 1)
}

/// Keeps the answer to a request that this transaction has claimed. Answers that no longer count go.
pub async fn update(
    transaction: &mut PgConnection,
    key: &[u8; 32],
    answer: &SealedValue,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update idempotent_responses
         set body = $2, body_iv = $3, body_salt = $4
         where key = $1",
        key.as_slice(),
        answer.ciphertext,
        answer.iv,
        answer.salt,
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "delete from idempotent_responses
         where key in (
           select key
           from idempotent_responses
           where expires_at <= $1
           limit 100
           for update skip locked
         )",
        now,
    )
    .execute(transaction)
    .await?;
    Ok(())
}
