//! `POST /info/lfs/locks/verify`: which locks are the pusher's own, and which would stop a push?

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{LfsFailureResponse, LfsRefusal, lfs_json};
use super::locks::{LfsLockResponse, fetch, page};
use super::{LfsCaller, parameters};
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};

/// What git-lfs asks before a push.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document of the API shows it")]
pub struct LfsVerifyLocksRequest {
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Locks of a page, 1 to 100.
    limit: Option<i64>,
}

/// Locks by whose they are. A page is of both lists together.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsVerifiedLocksResponse {
    ours: Vec<LfsLockResponse>,
    theirs: Vec<LfsLockResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// The locks of a project, to whoever may push there.
#[utoipa::path(
    post,
    path = "/info/lfs/locks/verify",
    request_body(
        content = LfsVerifyLocksRequest,
        content_type = "application/vnd.git-lfs+json",
        example = json!({ "limit": 100 })
    ),
    responses(
        (status = 200, body = LfsVerifiedLocksResponse, content_type = "application/vnd.git-lfs+json"),
        (
            status = 400,
            description = "The body is no JSON object",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 413,
            description = "The body is too large",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 422,
            description = "The cursor is no number",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        )
    )
)]
pub async fn verify(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    caller.may_upload(url)?;
    let filter = page(&parameters(body, url).await?, url)?;
    let (locks, next_cursor) = fetch(&git, &caller, filter).await?;
    let user = caller.user().map(|(user, _)| user);
    let (ours, theirs): (Vec<_>, Vec<_>) = locks.into_iter().partition(|lock| Some(lock.owner) == user);
    let listed = |locks: Vec<_>| locks.into_iter().map(LfsLockResponse::from).collect();
    let body = LfsVerifiedLocksResponse { ours: listed(ours), theirs: listed(theirs), next_cursor };
    Ok(lfs_json(StatusCode::OK, &body))
}
