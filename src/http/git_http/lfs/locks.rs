//! `GET /info/lfs/locks`, `POST /info/lfs/locks`: which files are locked, and by whom?

use axum::Extension;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use chrono::SecondsFormat;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::{LfsFailureResponse, LfsRefusal, help, lfs_json};
use super::{LfsCaller, parameters, text};
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::store::lfs_locks::{self, LfsLock, LockFilter};

/// Locks of an answer at most.
const MOST: i64 = 100;
/// Characters of a path at most, as the column has it.
const LONGEST_PATH: usize = 511;

/// A lock.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsLockResponse {
    id: String,
    path: String,
    locked_at: String,
    owner: LfsLockOwner,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsLockOwner {
    name: String,
}

impl From<LfsLock> for LfsLockResponse {
    fn from(lock: LfsLock) -> Self {
        Self {
            id: lock.id.to_string(),
            path: lock.path,
            locked_at: lock.locked_at.and_utc().to_rfc3339_opts(SecondsFormat::Secs, true),
            owner: LfsLockOwner { name: lock.username },
        }
    }
}

/// The lock that was made or removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsOneLockResponse {
    /// The lock.
    pub lock: LfsLockResponse,
}

/// The lock that was there already.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsLockedResponse {
    lock: LfsLockResponse,
    message: &'static str,
    documentation_url: String,
}

/// The locks of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsLocksResponse {
    locks: Vec<LfsLockResponse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What is to be locked.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document of the API shows it")]
pub struct LfsLockRequest {
    /// The path of the file, of at most 511 characters.
    path: String,
}

/// The locks of a project, or that of a path or an id, a page at a time.
#[utoipa::path(
    get,
    path = "/info/lfs/locks",
    params(
        ("path" = Option<String>, Query, description = "Of this file alone"),
        ("id" = Option<String>, Query, description = "Of this id alone"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before"),
        ("limit" = Option<String>, Query, description = "Locks of a page, 1 to 100")
    ),
    responses(
        (status = 200, body = LfsLocksResponse, content_type = "application/vnd.git-lfs+json"),
        (
            status = 422,
            description = "The cursor or the id is no number",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        )
    )
)]
pub async fn list(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    caller.may_download(url)?;
    let query = query.unwrap_or_default();
    let pairs = form_urlencoded::parse(query.as_bytes());
    let parameters: Map<String, Value> =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    let mut filter = page(&parameters, url)?;
    filter.path = text(&parameters, "path").filter(|path| !path.is_empty());
    filter.id = text(&parameters, "id").filter(|id| !id.is_empty()).map(|id| number(&id, url)).transpose()?;
    if filter.path.as_ref().is_some_and(|path| path.contains('\0')) {
        return Err(unprocessable("The path has a NUL", url));
    }
    let (locks, next_cursor) = fetch(&git, &caller, filter).await?;
    let locks = locks.into_iter().map(Into::into).collect();
    Ok(lfs_json(StatusCode::OK, &LfsLocksResponse { locks, next_cursor }))
}

/// Locks a file, for the user who asks.
#[utoipa::path(
    post,
    path = "/info/lfs/locks",
    request_body(
        content = LfsLockRequest,
        content_type = "application/vnd.git-lfs+json",
        example = json!({ "path": "images/large.png" })
    ),
    responses(
        (status = 201, body = LfsOneLockResponse, content_type = "application/vnd.git-lfs+json"),
        (
            status = 400,
            description = "The body is no JSON object",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 409,
            description = "The file is locked already",
            body = LfsLockedResponse,
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
            description = "There is no path, or it is too long",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        )
    )
)]
pub async fn create(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    caller.may_upload(url)?;
    // Keys and tokens of projects hold no locks.
    let (user, _) = caller.user().ok_or_else(|| LfsRefusal::forbidden(url))?;
    let parameters = parameters(body, url).await?;
    let path = text(&parameters, "path").unwrap_or_default();
    if path.is_empty() || path.contains('\0') || path.chars().count() > LONGEST_PATH {
        return Err(unprocessable("The path must have 1 to 511 characters, and no NUL", url));
    }
    // It may be unlocked between the two; then it is locked after all.
    for _ in 0..3 {
        let made = lfs_locks::insert(git.db.pool(), caller.project, user, &path, git.clock.now()).await?;
        let filter = LockFilter { path: Some(path.clone()), most: 1, ..LockFilter::default() };
        let Some(lock) = lfs_locks::list(&git.db.repeatable(), caller.project, &filter).await?.pop() else { continue };
        let (made, lock) = (made == Some(lock.id), lock.into());
        return Ok(if made {
            lfs_json(StatusCode::CREATED, &LfsOneLockResponse { lock })
        } else {
            let body = LfsLockedResponse { lock, message: "already locked", documentation_url: help(url) };
            lfs_json(StatusCode::CONFLICT, &body)
        });
    }
    Err(LfsRefusal::new(StatusCode::CONFLICT, "The file is locked and unlocked at this moment", url))
}

fn unprocessable(message: &'static str, url: &str) -> LfsRefusal {
    LfsRefusal::new(StatusCode::UNPROCESSABLE_ENTITY, message, url)
}

pub fn number(text: &str, url: &str) -> Result<i64, LfsRefusal> {
    text.parse().ok().filter(|id| *id >= 0).ok_or_else(|| unprocessable("The cursor or the id is no number", url))
}

/// Which page is asked for.
pub fn page(parameters: &Map<String, Value>, url: &str) -> Result<LockFilter, LfsRefusal> {
    let after = text(parameters, "cursor").filter(|cursor| !cursor.is_empty());
    let limit = text(parameters, "limit").and_then(|limit| limit.parse::<i64>().ok()).filter(|limit| *limit > 0);
    Ok(LockFilter {
        after: after.map(|cursor| number(&cursor, url)).transpose()?.unwrap_or_default(),
        most: limit.map_or(MOST, |limit| limit.min(MOST)),
        ..LockFilter::default()
    })
}

/// The locks of a page, and where the next one begins.
pub async fn fetch(
    git: &GitHttpState,
    caller: &LfsCaller,
    mut filter: LockFilter,
) -> Result<(Vec<LfsLock>, Option<String>), LfsRefusal> {
    let most = filter.most;
    filter.most += 1;
    let mut locks = lfs_locks::list(&git.db.repeatable(), caller.project, &filter).await?;
    let more = usize::try_from(most).is_ok_and(|most| locks.len() > most);
    if more {
        locks.pop();
    }
    let next = if more { locks.last().map(|lock| lock.id.to_string()) } else { None };
    Ok((locks, next))
}
