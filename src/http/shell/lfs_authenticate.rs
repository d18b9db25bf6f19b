//! `POST /lfs_authenticate`: how does this git-lfs reach the LFS server, and with which token?

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShellState;
use super::actor::ActorRequest;
use super::allowed::target;
use crate::background::last_used::LastUse;
use crate::domain::access::{AccessActor, AccessSubject, GitCommand};
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::domain::repository::GlRepository;
use crate::http::auth::lfs_token::{self, LfsBearer, LfsTokenUse};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::WireText;
use crate::services::audit_log;
use crate::store::lfs;

/// What gitlab-shell sends. `operation` matters to Geo alone.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LfsAuthenticateRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    project: Option<WireText>,
    gl_repository: Option<WireText>,
}

/// Where and with what (shell.md 2.5).
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsAuthenticateResponse {
    username: String,
    lfs_token: String,
    repository_http_path: String,
    expires_in: u64,
}

/// A token for the actor. Whether they may use the repository was decided by `/allowed` just before, and is decided
/// again by the LFS server.
///
/// # Errors
/// 404 where the repository has no LFS, or nobody is meant.
#[utoipa::path(
    post,
    path = "/lfs_authenticate",
    request_body(
        content = LfsAuthenticateRequest,
        example = json!({ "key_id": "11", "project": "gnuwget/wget2", "operation": "download" })
    ),
    responses((
        status = 200,
        body = LfsAuthenticateResponse,
        example = json!({
            "username": "rubi", "lfs_token": "eyJhbGciOiJIUzI1NiJ9", "expires_in": 7200,
            "repository_http_path": "https://gitlab.example.com/gnuwget/wget2.git"
        })
    ))
)]
pub async fn authenticate(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<LfsAuthenticateRequest>,
) -> Result<Json<LfsAuthenticateResponse>, ApiError> {
    let now = shell.clock.now();
    let subject = AccessSubject {
        command: GitCommand::Download,
        actor: request.actor.into(),
        target: target(request.gl_repository.as_ref(), request.project.as_ref())?,
    };
    let facts = shell.access.load(subject, now).await?;
    let (Some(project), Some(container)) = (&facts.project, &facts.container) else { return Err(ApiError::NotFound) };
    let suffix = match container.repository {
        GlRepository::Project(_) => "",
        GlRepository::Wiki(_) => ".wiki",
        GlRepository::GroupWiki(_) | GlRepository::Snippet(_) | GlRepository::Design(_) => {
            return Err(ApiError::NotFound);
        }
    };
    if project.hidden {
        return Err(ApiError::NotFound);
    }
    if !(shell.settings.lfs && lfs::is_enabled(shell.db.pool(), project.id).await?) {
        return Err(ApiError::NotFound);
    }
    if let Some(key) = &facts.key {
        shell.last_used.note(LastUse::key(key, now));
    }
    let bearer = match facts.actor() {
        AccessActor::User(user) => LfsBearer::User(user.id, &user.username),
        AccessActor::DeployKey(key) => LfsBearer::DeployKey(key.id),
        AccessActor::DeployToken(_) | AccessActor::Nobody => return Err(ApiError::NoSuchRecord),
    };
    let tail = match bearer {
        LfsBearer::User(id, _) => lfs::find_password_tail(shell.db.pool(), id).await?,
        LfsBearer::DeployKey(id) => lfs::find_fingerprint(shell.db.pool(), id).await?,
    };
    let tail = tail.ok_or(ApiError::NoSuchRecord)?;
    let clone_urls = &shell.checker.clone_urls;
    let repository_http_path = clone_urls.find_http(&shell.db, &format!("{}{suffix}", project.full_path)).await?;
    let event = AuditEvent {
        name: EventName::LfsTokenIssued,
        author: match bearer {
            LfsBearer::User(id, username) => AuditAuthor::User(id, username.to_owned()),
            LfsBearer::DeployKey(id) => AuditAuthor::DeployKey(id),
        },
        entity: AuditEntity::Project(project.id, project.full_path.clone()),
        target: facts.key.as_ref().map(|key| AuditTarget { kind: "Key", id: key.id.0, details: String::new() }),
        message: String::new(),
        ip_address: None,
    };
    audit_log::record(&shell.db, &event, now).await?;
    let lifetime = shell.settings.lfs_token_lifetime;
    Ok(Json(LfsAuthenticateResponse {
        username: bearer.login(),
        lfs_token: lfs_token::mint(
            &bearer,
            (project.id, LfsTokenUse::Both),
            &tail,
            &shell.settings.db_key_base,
            now,
            lifetime,
        ),
        repository_http_path,
        expires_in: lifetime.as_secs(),
    }))
}
