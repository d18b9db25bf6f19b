//! `POST /shellhorse/git_audit_event`: somebody has cloned, pulled or pushed.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::ShellState;
use super::actor::ActorRequest;
use crate::domain::access::{AccessActor, AccessFacts, AccessSubject, AccessTarget, ClientIp, GitCommand};
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::domain::repository::GlRepository;
use crate::http::auth::git_audit::GitAuditCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::openapi::FailureResponse;
use crate::http::wire::{GitText, WireText};
use crate::services::audit_log;

/// What gitlab-shell and Workhorse report, where `/allowed` said `need_audit`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct GitAuditRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    action: Option<WireText>,
    protocol: Option<WireText>,
    gl_repository: Option<WireText>,
    changes: Option<GitText>,
    check_ip: Option<WireText>,
    packfile_stats: Option<PackfileStats>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
struct PackfileStats {
    #[serde(default)]
    wants: i64,
    #[serde(default)]
    haves: i64,
}

/// What was written down, or that nothing had to be (shell.md 2.14). gitlab-shell does not look at it.
///
/// # Errors
/// 400 where a parameter is missing, or the action is none of git's.
#[utoipa::path(
    post,
    path = "/shellhorse/git_audit_event",
    request_body(
        content = GitAuditRequest,
        example = json!({
            "key_id": "11", "action": "git-upload-pack", "protocol": "ssh", "gl_repository": "project-3",
            "changes": "_any", "packfile_stats": { "wants": 1, "haves": 0 }
        })
    ),
    responses(
        (
            status = 200,
            body = FailureResponse,
            example = json!({ "status": false, "message": "No git audit event needed" })
        ),
        (status = 401, description = "Workhorse's token is not good", body = FailureResponse),
        (status = 403, description = "No token came along", body = FailureResponse)
    )
)]
pub async fn create(
    State(shell): State<ShellState>,
    _caller: GitAuditCaller,
    RequestParams(request): RequestParams<GitAuditRequest>,
) -> Result<Response, ApiError> {
    let action = request.action.ok_or(ApiError::Missing("action"))?;
    let protocol = request.protocol.ok_or(ApiError::Missing("protocol"))?;
    let repository = request.gl_repository.ok_or(ApiError::Missing("gl_repository"))?;
    request.changes.ok_or(ApiError::Missing("changes"))?;
    let stats = request.packfile_stats.unwrap_or_default();
    let (command, verb) = match action.0.as_str() {
        "git-receive-pack" => (GitCommand::Push, "push"),
        "git-upload-pack" if stats.wants > 0 && stats.haves == 0 => (GitCommand::Download, "clone"),
        "git-upload-pack" => (GitCommand::Download, "pull"),
        _ => {
            let body = json!({ "status": false, "message": "No valid action specified" });
            return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
        }
    };
    let (true, Ok(repository)) = (shell.settings.git_audit, GlRepository::parse(&repository.0)) else {
        return Ok(not_needed());
    };
    let now = shell.clock.now();
    let subject = AccessSubject { command, actor: request.actor.into(), target: AccessTarget::Repository(repository) };
    let facts = shell.access.load(subject, now).await?;
    let message = format!("{} ({} over {})", action.0, verb, protocol.0);
    let Some(event) = event(&facts, message, request.check_ip) else { return Ok(not_needed()) };
    audit_log::record(&shell.db, &event, now).await?;
    let message = json!({
        "protocol": protocol.0,
        "action": action.0,
        "verb": verb,
        "gl_key_type": facts.key.as_ref().map(|key| if key.deploy { "deploy_key" } else { "key" }),
        "gl_key_id": facts.key.as_ref().map(|key| key.id.0),
    });
    Ok(Json(json!({ "status": true, "message": message })).into_response())
}

fn not_needed() -> Response {
    Json(json!({ "status": false, "message": "No git audit event needed" })).into_response()
}

/// The event, where both who acted and on what are known.
fn event(facts: &AccessFacts, message: String, check_ip: Option<WireText>) -> Option<AuditEvent> {
    let project = facts.project.as_ref()?;
    let author = match facts.actor() {
        AccessActor::User(user) => AuditAuthor::User(user.id, user.username.clone()),
        AccessActor::DeployKey(key) => AuditAuthor::DeployKey(key.id),
        AccessActor::DeployToken(_) | AccessActor::Nobody => return None,
    };
    Some(AuditEvent {
        name: EventName::GitOperation,
        author,
        entity: AuditEntity::Project(project.id, project.full_path.clone()),
        target: facts.key.as_ref().map(|key| AuditTarget { kind: "Key", id: key.id.0, details: String::new() }),
        message,
        ip_address: check_ip.and_then(|ip| match ClientIp::parse(&ip.0) {
            ClientIp::Known(address) => Some(address),
            ClientIp::Garbage => None,
        }),
    })
}
