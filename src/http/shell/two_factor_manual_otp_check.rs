//! `POST /two_factor_manual_otp_check`, and `/two_factor_otp_check` of old clients: a one-time password opens git for a key.

use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;

use super::ShellState;
use super::actor::ActorRequest;
use super::replay::{CallTurn, RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::domain::audit::{Event, EventName};
use crate::domain::ids::UserId;
use crate::domain::requester::Requester;
use crate::domain::two_factor::{self, TwoFactorRefusal};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::wire::Text;
use crate::store::{self, otp_sessions, requesters};

/// What `ssh git@host 2fa_verify` sends.
#[derive(Debug, Deserialize)]
pub struct OtpCheckRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    otp_attempt: Option<Text>,
}

/// Whether git is open now for the key, or why not (shell.md 2.8); 200 in both cases.
pub async fn check(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    headers: HeaderMap,
    RepeatableRequest { request, key }: RepeatableRequest<OtpCheckRequest>,
) -> Result<ShellAnswer, ApiError> {
    if !shell.settings.two_factor_for_git {
        return Ok(ShellAnswer::refusal(TwoFactorRefusal::NotAvailable));
    }
    let now = shell.clock.now();
    let requester = requesters::find(shell.db.pool(), request.actor.requester()).await?;
    shell.last_used.note(LastUse::requester(&requester, now));
    let mut once = match shell.replays.begin(key, now).await? {
        CallTurn::First(once) => once,
        CallTurn::Again(answer) => return Ok(answer),
    };
    let attempt = request.otp_attempt.as_ref().map_or("", |attempt| &attempt.0);
    match verify(&shell, once.connection(), &requester, attempt, now).await? {
        Ok(()) => {
            let event = Event::of(&requester, EventName::OtpSessionOpened, "");
            once.settle(ShellAnswer::of(&json!({ "success": true }))?, &event).await
        }
        Err(refusal) => {
            // gitlab-sshd behind a proxy tells where the user is; nothing but this line relies on it.
            let forwarded_for = headers.get("x-forwarded-for").and_then(|ip| ip.to_str().ok());
            let user = requester.account.as_ref().map(|account| account.id.0);
            tracing::warn!(user.id = user, forwarded_for, reason = %refusal, "a one-time password was refused");
            let event = Event::of(&requester, EventName::OtpRefused, refusal.to_string());
            once.settle(ShellAnswer::refusal(refusal), &event).await
        }
    }
}

/// Uses the password up and opens the session, or counts the failure.
async fn verify(
    shell: &ShellState,
    connection: &mut PgConnection,
    requester: &Requester,
    attempt: &str,
    now: DateTime<Utc>,
) -> Result<Result<(), TwoFactorRefusal>, ApiError> {
    let (key, account) = match two_factor::verifier(requester, now) {
        Ok(verifier) => verifier,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let secret = store::two_factor::find_otp_secret(&mut *connection, &shell.otp_secrets, account.id).await?;
    let secret = match secret.transpose() {
        Ok(secret) => secret,
        Err(closed) => {
            // Nobody can be right here, so nobody is locked out for being wrong.
            tracing::error!(user.id = account.id.0, %closed, "the OTP secret of a user cannot be read");
            return Ok(Err(TwoFactorRefusal::InvalidOtp));
        }
    };
    let step = secret.and_then(|secret| two_factor::matching_step(secret.expose_secret(), attempt, now));
    let right = match step {
        Some(step) => store::two_factor::consume_step(&mut *connection, account.id, step, now).await?,
        None => false,
    };
    if !right {
        return Ok(Err(wrong(connection, account.id, now).await?));
    }
    let lifetime = otp_sessions::find_lifetime(&mut *connection).await?;
    otp_sessions::upsert(connection, key, now + lifetime, now).await?;
    Ok(Ok(()))
}

/// A wrong password counts, unless the account was locked by another request meanwhile.
async fn wrong(connection: &mut PgConnection, user: UserId, now: DateTime<Utc>) -> Result<TwoFactorRefusal, ApiError> {
    let counted = store::two_factor::count_failure(connection, user, now).await?;
    Ok(if counted { TwoFactorRefusal::InvalidOtp } else { TwoFactorRefusal::Locked })
}
