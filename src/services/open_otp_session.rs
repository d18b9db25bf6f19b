//! A one-time password opens git for a key, or counts as a failure.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;

use super::guard_call::{CallKey, CallTurn, GuardError, GuardedAnswer, IdempotencyGuard};
use super::{ServiceError, ServiceResult};
use crate::crypto::seal::Seal;
use crate::domain::audit::{AuditEvent, EventName};
use crate::domain::ids::UserId;
use crate::domain::requester::Requester;
use crate::domain::two_factor::{self, TwoFactorRefusal};
use crate::store::{self, otp_sessions};

/// Uses the password up and opens the session, or counts the failure, once for all calls of this key; `render` says
/// what is answered.
pub async fn open(
    guard: &IdempotencyGuard,
    seal: &Seal,
    key: CallKey,
    requester: &Requester,
    password: &str,
    now: DateTime<Utc>,
    render: impl FnOnce(Result<(), TwoFactorRefusal>) -> SecretString,
) -> Result<GuardedAnswer, GuardError> {
    let mut call = match guard.begin(key, now).await? {
        CallTurn::First(call) => call,
        CallTurn::Again(answer) => return Ok(answer),
    };
    let outcome = match verify(call.connection(), seal, requester, password, now).await {
        Ok(()) => Ok(()),
        Err(ServiceError::Refused(refusal)) => Err(refusal),
        Err(ServiceError::Store(error)) => return Err(error.into()),
    };
    let event = match outcome {
        Ok(()) => AuditEvent::of(requester, EventName::OtpSessionOpened, ""),
        Err(refusal) => AuditEvent::of(requester, EventName::OtpRefused, refusal.to_string()),
    };
    call.finish(render(outcome), event).await
}

async fn verify(
    connection: &mut PgConnection,
    seal: &Seal,
    requester: &Requester,
    password: &str,
    now: DateTime<Utc>,
) -> ServiceResult<(), TwoFactorRefusal> {
    let (key, account) = two_factor::verifier(requester, now).map_err(ServiceError::Refused)?;
    let secret = store::two_factor::find_otp_secret(&mut *connection, seal, account.id).await?;
    let secret = match secret.transpose() {
        Ok(secret) => secret,
        Err(closed) => {
            // Nobody can be right here, so nobody is locked out for being wrong.
            tracing::error!(user.id = account.id.0, %closed, "the OTP secret of a user cannot be read");
            return Err(ServiceError::Refused(TwoFactorRefusal::InvalidOtp));
        }
    };
    let step = secret.and_then(|secret| two_factor::matching_step(secret.expose_secret(), password, now));
    let right = match step {
        Some(step) => store::two_factor::consume_step(&mut *connection, account.id, step, now).await?,
        None => false,
    };
    if !right {
        return Err(ServiceError::Refused(count_failure(connection, account.id, now).await?));
    }
    let lifetime = otp_sessions::find_lifetime(&mut *connection).await?;
    otp_sessions::upsert(connection, key, now + lifetime, now).await?;
    Ok(())
}

/// A wrong password counts, unless the account was locked by another call meanwhile.
async fn count_failure(
    connection: &mut PgConnection,
    user: UserId,
    now: DateTime<Utc>,
) -> store::Result<TwoFactorRefusal> {
    let counted = store::two_factor::count_failure(connection, user, now).await?;
    Ok(if counted { TwoFactorRefusal::InvalidOtp } else { TwoFactorRefusal::Locked })
}
