//! `POST /two_factor_recovery_codes`: ten new codes for the user behind a key, in place of those before.

use axum::extract::State;
use serde::Serialize;

use super::ShellState;
use super::actor::ActorRequest;
use super::repeatable::{RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::domain::two_factor::TwoFactorRefusal;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::openapi::SuccessResponse;
use crate::services::replace_recovery_codes::{self, RecoveryCodesError};
use crate::store::requesters;

/// The codes, which nobody will see again (shell.md 2.6).
#[derive(Debug, Serialize)]
struct RecoveryCodesResponse {
    success: bool,
    recovery_codes: Vec<String>,
}

/// New codes, or why there are none; 200 in both cases.
#[utoipa::path(
    post,
    path = "/two_factor_recovery_codes",
    request_body(content = ActorRequest, example = json!({ "key_id": "11" })),
    responses((status = 200, body = SuccessResponse))
)]
pub async fn replace(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RepeatableRequest { request, key }: RepeatableRequest<ActorRequest>,
) -> Result<ShellAnswer, ApiError> {
    let now = shell.clock.now();
    if let Some(answer) = shell.guard.find(key, now).await? {
        return Ok(answer.into());
    }
    let requester = requesters::find(shell.db.pool(), request.requester()).await?;
    shell.last_used.note(LastUse::requester(&requester, now));
    let render = |outcome: Result<Vec<String>, TwoFactorRefusal>| match outcome {
        Ok(recovery_codes) => ShellAnswer::of(&RecoveryCodesResponse { success: true, recovery_codes }).into_text(),
        Err(refusal) => ShellAnswer::refusal(refusal).into_text(),
    };
    let outcome = replace_recovery_codes::replace(&shell.guard, &shell.hasher, key, &requester, now, render).await;
    match outcome {
        Ok(answer) => Ok(answer.into()),
        Err(RecoveryCodesError::Guard(error)) => Err(error.into()),
        Err(error @ RecoveryCodesError::Hash(_)) => Err(ApiError::Internal(error.into())),
    }
}
