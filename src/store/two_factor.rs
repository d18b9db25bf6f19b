//! Second factors of users: their OTP secret, the codes that were used, and the lock after too many wrong ones.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::PgExecutor;

use super::{Error, Result};
use crate::crypto::seal::{Seal, SealedValue, UnsealError};
use crate::domain::account_lock::{FAILURES_THAT_LOCK, last_ended_lock};
use crate::domain::ids::UserId;

/// Sets up one-time passwords for a user: the secret in base32, sealed, and the switch that they are asked for.
pub async fn update_otp_secret(db: impl PgExecutor<'_>, seal: &Seal, user: UserId, base32: &str) -> Result<()> {
    let sealed = seal.close(base32, &place(user));
    sqlx::query!(
        "update users
         set otp_required_for_login = true,
             encrypted_otp_secret = $2,
             encrypted_otp_secret_iv = $3,
             encrypted_otp_secret_salt = $4,
             consumed_timestep = null
         where id = $1",
        user.0,
        sealed.ciphertext,
        sealed.iv,
        sealed.salt,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a user's one-time passwords away, and the recovery codes that stand in for them.
pub async fn delete_otp_secret(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!(
        "update users
         set otp_required_for_login = false,
             encrypted_otp_secret = null,
             encrypted_otp_secret_iv = null,
             encrypted_otp_secret_salt = null,
             otp_backup_codes = null
         where id = $1",
        user.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes a user's security keys away.
pub async fn delete_security_keys(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!("delete from webauthn_registrations where user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// The user's secret in base32. `Closed` where it was written by GitLab, or under another `db_key_base`.
pub async fn find_otp_secret(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    user: UserId,
) -> Result<Option<std::result::Result<SecretString, UnsealError>>> {
    let row = sqlx::query!(
        "select encrypted_otp_secret, encrypted_otp_secret_iv, encrypted_otp_secret_salt
         from users
         where id = $1",
        user.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.and_then(|row| {
        let sealed = SealedValue {
            ciphertext: row.encrypted_otp_secret?,
            iv: row.encrypted_otp_secret_iv.unwrap_or_default(),
            salt: row.encrypted_otp_secret_salt.unwrap_or_default(),
        };
        Some(seal.open(&sealed, &place(user)))
    }))
}

/// Uses up a time step, and with it all before it. False where it was used up, or the account is locked: of two
/// requests with the same code, one gets true.
pub async fn consume_step(db: impl PgExecutor<'_>, user: UserId, step: i32, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "update users
         set consumed_timestep = $2, failed_attempts = 0, locked_at = null
         where id = $1
           and (consumed_timestep is null or consumed_timestep < $2)
           and (locked_at is null or locked_at <= $3)",
        user.0,
        step,
        last_ended_lock(now).naive_utc(),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Counts a wrong code, and locks the account at the tenth. False where it is locked already: then nothing counts.
pub async fn count_failure(db: impl PgExecutor<'_>, user: UserId, now: DateTime<Utc>) -> Result<bool> {
    // A lock that has ended begins the count anew.
    let done = sqlx::query!(
        "update users
         set failed_attempts = case when locked_at is null then coalesce(failed_attempts, 0) else 0 end + 1,
             locked_at = case when locked_at is null and coalesce(failed_attempts, 0) + 1 >= $4 then $2::timestamp end
         where id = $1
           and (locked_at is null or locked_at <= $3)",
        user.0,
        now.naive_utc(),
        last_ended_lock(now).naive_utc(),
        FAILURES_THAT_LOCK,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces the user's recovery codes; `hashes` are those of the new ones.
pub async fn update_backup_codes(db: impl PgExecutor<'_>, user: UserId, hashes: &[String]) -> Result<()> {
    let codes = serde_json::to_string(hashes).map_err(|error| Error::Query(sqlx::Error::Encode(error.into())))?;
    sqlx::query!("update users set otp_backup_codes = $2 where id = $1", user.0, codes).execute(db).await?;
    Ok(())
}

/// What a sealed secret is bound to.
pub(super) fn place(user: UserId) -> String {
    format!("users/{user}")
}
