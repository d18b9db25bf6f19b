//! `POST /pre_receive`: a push is about to change this repository's refs.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShellState;
use super::context::readable_context;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::WireText;
use crate::store::reference_counters;

/// Characters of a repository's name at most; GitLab's own forms take fewer than 30.
const NAME_LENGTH: usize = 255;

/// What Gitaly's pre-receive hook sends once everything else has let the push pass (shell.md 2.12).
#[derive(Debug, Deserialize, ToSchema)]
pub struct PreReceiveRequest {
    gl_repository: Option<WireText>,
    gitaly_client_context_bin: Option<WireText>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreReceiveResponse {
    reference_counter_increased: bool,
}

/// Counts the push, whether or not there is such a repository: who moves or removes one waits for the count to be zero.
///
/// # Errors
/// 400 where the repository is not named; 503 where it cannot be counted, for Gitaly shows no reason with a `false`.
#[utoipa::path(
    post,
    path = "/pre_receive",
    request_body(content = PreReceiveRequest, example = json!({ "gl_repository": "project-3" })),
    responses((status = 200, body = PreReceiveResponse, example = json!({ "reference_counter_increased": true })))
)]
pub async fn count(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<PreReceiveRequest>,
) -> Result<Json<PreReceiveResponse>, ApiError> {
    readable_context(request.gitaly_client_context_bin.as_ref())?;
    let repository = request.gl_repository.filter(|name| !name.0.trim_ascii().is_empty());
    let repository = repository.ok_or(ApiError::Missing("gl_repository"))?.0;
    if repository.chars().count() > NAME_LENGTH {
        return Err(ApiError::BadRequest("gl_repository is invalid".to_owned()));
    }
    // A push that is counted twice because an answer was lost holds up a move until its count expires; one that is not
    // counted would lose its repository.
    reference_counters::increase(&shell.pushes.repeatable(), &repository, shell.clock.now())
        .await
        .map_err(ApiError::asked_again)?;
    Ok(Json(PreReceiveResponse { reference_counter_increased: true }))
}
