//! `POST /two_factor_config`: does git over SSH ask the user behind this key for a second factor?

use axum::extract::State;
use serde_json::json;

use super::ShellState;
use super::actor::ActorRequest;
use super::repeatable::ShellAnswer;
use crate::domain::two_factor;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::openapi::SuccessResponse;
use crate::store::requesters;

/// Whether it does; `success` is false where the installation asks nobody (shell.md 2.10).
#[utoipa::path(
    post,
    path = "/two_factor_config",
    request_body(content = ActorRequest, example = json!({ "key_id": "11" })),
    responses((
        status = 200,
        body = SuccessResponse,
        example = json!({ "success": true, "two_factor_required": true })
    ))
)]
pub async fn show(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<ActorRequest>,
) -> Result<ShellAnswer, ApiError> {
    if !shell.settings.two_factor_for_git {
        return Ok(ShellAnswer::of(&json!({ "success": false })));
    }
    let requester = requesters::find(shell.db.pool(), request.requester()).await?;
    Ok(match two_factor::is_required(&requester) {
        Ok(required) => ShellAnswer::of(&json!({ "success": true, "two_factor_required": required })),
        Err(refusal) => ShellAnswer::refusal(refusal),
    })
}
