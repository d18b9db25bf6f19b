//! `POST /info/lfs/locks/{id}/unlock`: a file may be changed by others again.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::Value;
use utoipa::ToSchema;

use super::error::{LfsFailureResponse, LfsRefusal, lfs_json};
use super::locks::LfsOneLockResponse;
use super::{LfsCaller, parameters};
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::store::lfs_locks::{self, LockFilter};

/// How a lock is removed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document of the API shows it")]
pub struct LfsUnlockRequest {
    /// Another's too, which maintainers may.
    force: Option<bool>,
}

/// Removes a lock: one's own, or by force another's.
#[utoipa::path(
    post,
    path = "/info/lfs/locks/{id}/unlock",
    params(("id" = String, Path, description = "The lock's id", example = "12")),
    request_body(
        content = LfsUnlockRequest,
        content_type = "application/vnd.git-lfs+json",
        example = json!({ "force": false })
    ),
    responses(
        (status = 200, body = LfsOneLockResponse, content_type = "application/vnd.git-lfs+json"),
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
        )
    )
)]
pub async fn unlock(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    caller.may_upload(url)?;
    let force = parameters(body, url).await?.get("force") == Some(&Value::Bool(true));
    let unknown = || LfsRefusal::new(StatusCode::NOT_FOUND, "Lock not found", url);
    let id = id.parse::<i64>().map_err(|_| unknown())?;
    let filter = LockFilter { id: Some(id), after: i64::MIN, most: 1, ..LockFilter::default() };
    let lock = lfs_locks::list(&git.db.repeatable(), caller.project, &filter).await?.pop().ok_or_else(unknown)?;
    let user = caller.user();
    if user.is_none_or(|(user, _)| user != lock.owner) {
        if !force {
            let message = format!("'{}' is locked by @{}", lock.path, lock.username);
            return Err(LfsRefusal::new(StatusCode::FORBIDDEN, message, url));
        }
        if !user.is_some_and(|(_, maintains)| maintains) {
            let message = "You must have maintainer access to force delete a lock";
            return Err(LfsRefusal::new(StatusCode::FORBIDDEN, message, url));
        }
    }
    if !lfs_locks::delete(git.db.pool(), caller.project, id).await? {
        return Err(unknown());
    }
    Ok(lfs_json(StatusCode::OK, &LfsOneLockResponse { lock: lock.into() }))
}
