//! `POST /two_factor_manual_otp_check`, and `/two_factor_otp_check` of old clients: a one-time password opens git for a
//! key.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ShellState;
use super::actor::ActorRequest;
use super::repeatable::{RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::domain::two_factor::TwoFactorRefusal;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::openapi::SuccessResponse;
use crate::http::wire::WireText;
use crate::services::open_otp_session;
use crate::store::requesters;

/// What `ssh git@host 2fa_verify` sends.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OtpCheckRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    otp_attempt: Option<WireText>,
}

/// Whether git is open now for the key, or why not (shell.md 2.8); 200 in both cases.
#[utoipa::path(
    post,
    path = "/two_factor_manual_otp_check",
    request_body(content = OtpCheckRequest, example = json!({ "key_id": "11", "otp_attempt": "123456" })),
    responses((status = 200, body = SuccessResponse, example = json!({ "success": true })))
)]
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
    let password = request.otp_attempt.as_ref().map_or("", |attempt| &attempt.0);
    let render = |outcome: Result<(), TwoFactorRefusal>| match outcome {
        Ok(()) => ShellAnswer::of(&json!({ "success": true })).into_text(),
        Err(refusal) => {
            // gitlab-sshd behind a proxy tells where the user is; nothing but this line relies on it.
            let forwarded_for = headers.get("x-forwarded-for").and_then(|ip| ip.to_str().ok());
            let user = requester.account.as_ref().map(|account| account.id.0);
            tracing::warn!(user.id = user, forwarded_for, reason = %refusal, "a one-time password was refused");
            ShellAnswer::refusal(refusal).into_text()
        }
    };
    let seal = &shell.otp_secrets;
    let opened = open_otp_session::open(&shell.guard, seal, key, &requester, password, now, render);
    Ok(shell.guard.in_time(opened).await?.into())
}
