//! `POST /lfs_token/verify`, ours: is this token that an LFS client shows good, and for what?

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShellState;
use super::allowed::target;
use crate::domain::access::{
    self, AccessActor, AccessFacts, AccessProtocol, ActorName, Attempt, Decision, Denial, GitCommand, PushChanges,
};
use crate::domain::audit::{AuditEvent, EventName};
use crate::domain::ids::{KeyId, ProjectId};
use crate::domain::requester::{Requester, RequesterName};
use crate::http::auth::lfs_token::{self, LfsBearer, VerifiedLfsToken};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::WireText;
use crate::services::{ServiceError, ServiceResult, audit_log};
use crate::store::lfs;

/// The two halves of the client's Basic credential, and the repository that it asks for.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LfsTokenVerifyRequest {
    username: Option<WireText>,
    #[serde(alias = "lfs_token", alias = "token")]
    password: Option<WireText>,
    project: Option<WireText>,
    gl_repository: Option<WireText>,
}

/// What the token is good for, or how the LFS server should refuse it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum LfsTokenVerifyResponse {
    /// It is good.
    Good(LfsTokenRights),
    /// It gives nothing.
    Refused(LfsTokenRefusalResponse),
}

/// How the LFS server should answer its client.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsTokenRefusalResponse {
    message: &'static str,
    status: u16,
    success: bool,
}

/// Whose token it is, and what they may do to the repository's objects.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsTokenRights {
    success: bool,
    username: String,
    gl_id: String,
    gl_repository: String,
    gl_project_path: String,
    download: bool,
    upload: bool,
    expires_at: String,
}

/// The token's rights. Where it is not good, still a 200, with the `status` that the LFS server owes its client: a 401
/// here would mean that the LFS server itself is not known.
///
/// # Errors
/// 400 where a parameter is missing.
#[utoipa::path(
    post,
    path = "/lfs_token/verify",
    request_body(
        content = LfsTokenVerifyRequest,
        example = json!({ "username": "rubi", "password": "eyJhbGciOiJIUzI1NiJ9", "project": "gnuwget/wget2" })
    ),
    responses((status = 200, body = LfsTokenVerifyResponse))
)]
pub async fn verify(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<LfsTokenVerifyRequest>,
) -> Result<Json<LfsTokenVerifyResponse>, ApiError> {
    let login = request.username.ok_or(ApiError::Missing("username"))?.0;
    let token = request.password.ok_or(ApiError::Missing("password"))?.0;
    let repository = target(request.gl_repository.as_ref(), request.project.as_ref())?;
    let now = shell.clock.now();
    let refuse = |verdict: LfsTokenRefusal| {
        let requester = Requester { name: RequesterName::Nobody, key: None, account: None };
        audit_log::log(&AuditEvent::of(&requester, EventName::LfsTokenRefused, verdict.message()));
        let (status, message) = (verdict.status(), verdict.message());
        Ok(Json(LfsTokenVerifyResponse::Refused(LfsTokenRefusalResponse { message, status, success: false })))
    };

    let Some(actor) = actor(&shell, &login).await? else { return refuse(LfsTokenRefusal::NotGood) };
    let ask = |command| Attempt {
        command,
        // LFS is neither git over SSH nor git over HTTP: what closes one of these does not close it.
        protocol: AccessProtocol::Web,
        actor: actor.clone(),
        target: repository.clone(),
        changes: if command == GitCommand::Push { PushChanges::Any } else { PushChanges::None },
        client_ip: None,
        certified_by: None,
    };
    let download = ask(GitCommand::Download);
    let facts = shell.access.load(download.subject(), now).await?;
    let verified = match judge(&shell, &facts, &token, now).await {
        Ok(verified) => verified,
        Err(ServiceError::Refused(verdict)) => return refuse(verdict),
        Err(ServiceError::Store(error)) => return Err(error.into()),
    };
    let decision = access::decide(&facts, &download);
    if matches!(decision, Decision::Deny(Denial::MayNotUseGit(_))) {
        return refuse(LfsTokenRefusal::NotGood);
    }
    let (Some(project), Some(container)) = (&facts.project, &facts.container) else {
        return refuse(LfsTokenRefusal::NoRepository);
    };
    if !(shell.settings.lfs && lfs::is_enabled(shell.db.pool(), project.id).await?) {
        return refuse(LfsTokenRefusal::NoRepository);
    }
    let upload = ask(GitCommand::Push);
    let may_push = access::decide(&shell.access.load(upload.subject(), now).await?, &upload);
    let (username, gl_id) = match facts.actor() {
        AccessActor::User(user) => (user.username.clone(), format!("user-{}", user.id)),
        AccessActor::DeployKey(key) => (LfsBearer::DeployKey(key.id).login(), format!("key-{}", key.id)),
        AccessActor::DeployToken(_) | AccessActor::Nobody => return refuse(LfsTokenRefusal::NotGood),
    };
    Ok(Json(LfsTokenVerifyResponse::Good(LfsTokenRights {
        success: true,
        username,
        gl_id,
        gl_repository: container.repository.to_string(),
        gl_project_path: project.full_path.clone(),
        download: decision == Decision::Allow,
        upload: may_push == Decision::Allow && verified.uploads,
        expires_at: verified.expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    })))
}

/// Why a token gives nothing, as the LFS server should answer its client.
#[derive(Debug, Clone, Copy)]
enum LfsTokenRefusal {
    NotGood,
    NoRepository,
}

impl LfsTokenRefusal {
    fn status(self) -> u16 {
        match self {
            Self::NotGood => 401,
            Self::NoRepository => 404,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::NotGood => "401 Unauthorized",
            Self::NoRepository => "404 Not Found",
        }
    }
}

/// Who the login names: a deploy key, or a user by name or primary address.
async fn actor(shell: &ShellState, login: &str) -> Result<Option<ActorName>, ApiError> {
    if let Some(id) = login.strip_prefix("lfs+deploy-key-") {
        return Ok(WireText(id.to_owned()).id().map(|id| ActorName::Key(KeyId(id))));
    }
    Ok(lfs::find_login(shell.db.pool(), login).await?.map(ActorName::User))
}

/// What the token is good for.
async fn judge(
    shell: &ShellState,
    facts: &AccessFacts,
    token: &str,
    now: DateTime<Utc>,
) -> ServiceResult<VerifiedLfsToken, LfsTokenRefusal> {
    let bearer = match facts.actor() {
        AccessActor::User(user) if facts.key.is_none() => LfsBearer::User(user.id, &user.username),
        AccessActor::DeployKey(key) => LfsBearer::DeployKey(key.id),
        // A deploy key that is gone is not found; a user's own key has no such login.
        AccessActor::User(_) | AccessActor::DeployToken(_) | AccessActor::Nobody => {
            return Err(ServiceError::Refused(LfsTokenRefusal::NoRepository));
        }
    };
    let tail = match bearer {
        LfsBearer::User(id, _) => lfs::find_password_tail(shell.db.pool(), id).await?,
        LfsBearer::DeployKey(id) => lfs::find_fingerprint(shell.db.pool(), id).await?,
    };
    let project: Option<ProjectId> = facts.project.as_ref().map(|project| project.id);
    let verified =
        tail.and_then(|tail| lfs_token::verify(token, &bearer, project, &tail, &shell.settings.db_key_base, now));
    verified.ok_or(ServiceError::Refused(LfsTokenRefusal::NotGood))
}
