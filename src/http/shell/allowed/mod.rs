//! `POST /allowed`: may this actor fetch from this repository, or push to it, and where is it?

mod create;
mod limit;
mod missing;
mod push;

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::create::Creation;
pub use self::limit::AttemptLimiter;
use self::push::PreReceiveHook;
use super::actor::ActorRequest;
use super::context::readable_context;
use super::{ShellSettings, ShellState};
use crate::background::last_used::LastUse;
use crate::domain::access::{
    self, AccessFacts, AccessProject, AccessProtocol, AccessTarget, Attempt, ClientIp, Decision, Denial, DenialAnswer,
    GitCommand, PushChanges, RepositoryContainer,
};
use crate::domain::repository::{GlRepository, RepositoryPath, hashed_path};
use crate::gitaly::ObjectQuarantine;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::{ApiError, report};
use crate::http::extract::Params;
use crate::http::layers::CorrelationId;
use crate::http::wire::{GitText, Text};
use crate::store::{self, post_push_messages, settings};

/// What gitlab-shell sends before it dials Gitaly, and Gitaly from its `pre-receive` hook (allowed.md 1.2).
#[derive(Debug, Deserialize)]
pub struct AllowedRequest {
    action: Option<Text>,
    protocol: Option<Text>,
    project: Option<Text>,
    gl_repository: Option<Text>,
    changes: Option<GitText>,
    check_ip: Option<Text>,
    namespace_path: Option<Text>,
    env: Option<Value>,
    relative_path: Option<Text>,
    gitaly_client_context_bin: Option<Text>,
    #[serde(flatten)]
    actor: ActorRequest,
}

/// Where the repository is, and as whom git acts there (allowed.md 4.1).
#[derive(Debug, Serialize)]
pub struct AllowedResponse<'a> {
    status: bool,
    gl_repository: String,
    gl_project_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_project_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_root_namespace_id: Option<i64>,
    gl_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_username: Option<&'a str>,
    git_config_options: Vec<String>,
    gitaly: AllowedGitalyResponse<'a>,
    gl_console_messages: Vec<&'static str>,
    need_audit: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_key_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_key_id: Option<i64>,
}

#[derive(Debug, Serialize)]
struct AllowedGitalyResponse<'a> {
    repository: AllowedRepositoryResponse<'a>,
    address: &'a str,
    token: Option<&'a str>,
    features: AllowedFeaturesResponse,
}

#[derive(Debug, Serialize)]
struct AllowedRepositoryResponse<'a> {
    storage_name: &'a str,
    relative_path: String,
    git_object_directory: &'a str,
    git_alternate_object_directories: &'a [String],
    gl_repository: String,
    gl_project_path: String,
}

#[derive(Debug, Serialize)]
struct AllowedFeaturesResponse {}

/// The decision, and for an attempt that may go on everything that the client needs next.
///
/// # Errors
/// 400 where a parameter is missing or cannot be read, 503 where the database does not answer.
pub async fn check(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    Extension(CorrelationId(correlation_id)): Extension<CorrelationId>,
    Params(request): Params<AllowedRequest>,
) -> Result<Response, ApiError> {
    let hook = PreReceiveHook {
        quarantine: push::quarantine(request.env.as_ref()),
        relative_path: request.relative_path.as_ref().map(|path| path.0.clone()).filter(|path| !path.is_empty()),
        correlation_id,
    };
    let attempt = Arc::new(Attempt::try_from(request)?);
    match answer(&shell, &attempt, &hook).await {
        // Gitaly asks once and shows its user whatever message there is; gitlab-shell tries again and shows none.
        Err(ApiError::Unavailable(source))
            if source.is::<store::Error>() && matches!(attempt.changes, PushChanges::Lines(_)) =>
        {
            report(&ApiError::Unavailable(source));
            Ok(say(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER))
        }
        answer => answer,
    }
}

/// What is said where Gitaly is asked for something and does not answer.
const NO_GITALY: &str = "The git server, Gitaly, is not available at this time. Please contact your administrator.";
/// What is said where a push cannot be judged for want of a database.
const NO_ANSWER: &str =
    "Your push cannot be checked, because the database is not available at this time. Please try again.";

async fn answer(shell: &ShellState, attempt: &Arc<Attempt>, hook: &PreReceiveHook) -> Result<Response, ApiError> {
    let mut facts = match attempt.changes {
        PushChanges::Lines(_) => {
            let patience = shell.settings.push_check_timeout;
            shell.access.load_within(Arc::clone(attempt), shell.clock.now(), patience).await?
        }
        PushChanges::Any | PushChanges::None => shell.access.load(Arc::clone(attempt), shell.clock.now()).await?,
    };
    if let Some(key) = &facts.key {
        // A4: whatever the verdict, the key was used.
        shell.last_used.note(LastUse::key(key, facts.now));
    }
    if shell.limits.exceeded(attempt, &facts) {
        return Ok(too_many());
    }
    let mut decision = access::decide(&facts, attempt);
    if decision == Decision::Deny(Denial::NoSuchProject) {
        match create::create(shell, &facts, attempt, &hook.correlation_id).await? {
            Creation::No => {}
            Creation::Denied(denial) => decision = Decision::Deny(denial),
            Creation::Done => {
                facts = shell.access.load(Arc::clone(attempt), facts.now).await?;
                decision = access::decide(&facts, attempt);
            }
            Creation::Impossible(message) => return Ok(say(Creation::STATUS, &message)),
        }
    }
    if missing::is_missing(&decision) {
        match missing::make(shell, &mut facts, attempt, &hook.correlation_id).await? {
            missing::Repository::Missing => {}
            missing::Repository::Made => decision = Decision::Allow,
            // Not 503, as of a project that cannot be made.
            missing::Repository::Impossible => return Ok(say(Creation::STATUS, NO_GITALY)),
        }
    }
    if let Decision::Deny(denial) = decision {
        return Ok(refuse(&denial, &shell.settings.url));
    }
    if let PushChanges::Lines(lines) = &attempt.changes {
        return push::check(shell, &facts, attempt, lines, hook).await;
    }
    let answer = render(&facts, &shell.settings, None)?;
    note(shell, &facts, attempt, &answer).await;
    Ok(Json(answer).into_response())
}

impl TryFrom<AllowedRequest> for Attempt {
    type Error = ApiError;

    fn try_from(request: AllowedRequest) -> Result<Self, ApiError> {
        readable_context(request.gitaly_client_context_bin.as_ref())?;
        let action = match request.action.as_ref().map(AsRef::as_ref) {
            Some("git-upload-pack" | "git-upload-archive") => GitCommand::Download,
            Some("git-receive-pack") => GitCommand::Push,
            _ => GitCommand::Unknown,
        };
        let changes = match (action, request.changes) {
            (GitCommand::Push, None) => return Err(ApiError::Missing("changes")),
            (GitCommand::Push, Some(changes)) if changes.0 == "_any" => PushChanges::Any,
            (GitCommand::Push, Some(changes)) => PushChanges::Lines(changes.0),
            (GitCommand::Download | GitCommand::Unknown, _) => PushChanges::None,
        };
        Ok(Self {
            action,
            protocol: AccessProtocol::from(request.protocol.ok_or(ApiError::Missing("protocol"))?.as_ref()),
            target: target(request.gl_repository.as_ref(), request.project.as_ref())?,
            actor: request.actor.into(),
            changes,
            client_ip: request.check_ip.filter(|ip| !ip.0.is_empty()).map(|ip| ClientIp::parse(&ip.0)),
            certified_by: request.namespace_path.map(|path| path.0).filter(|path| !path.is_empty()),
        })
    }
}

/// The repository that a request names: `gl_repository`, or else the path in `project`.
///
/// # Errors
/// 400 where there is neither, or the `gl_repository` has no form that we know.
pub fn target(gl_repository: Option<&Text>, project: Option<&Text>) -> Result<AccessTarget, ApiError> {
    match (gl_repository.filter(|name| !name.0.is_empty()), project) {
        (Some(name), _) => GlRepository::parse(&name.0)
            .map(AccessTarget::Repository)
            .map_err(|_| ApiError::BadRequest("gl_repository is invalid".to_owned())),
        (None, Some(path)) => Ok(AccessTarget::Path(RepositoryPath::new(&path.0))),
        (None, None) => Err(ApiError::Missing("project")),
    }
}

fn refuse(denial: &Denial, url: &str) -> Response {
    let status = match denial.answer() {
        // GitLab's word for it, although the caller is known: clients show the message of any 4xx.
        DenialAnswer::Forbidden => StatusCode::UNAUTHORIZED,
        DenialAnswer::NotFound => StatusCode::NOT_FOUND,
    };
    say(status, &denial.sentence(url))
}

/// Without `Retry-After`: gitlab-shell would wait for as long, and its user with it.
fn too_many() -> Response {
    let error = "This endpoint has been requested too many times. Try again later.";
    (StatusCode::TOO_MANY_REQUESTS, Json(json!({ "message": { "error": error } }))).into_response()
}

fn say(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "status": false, "message": message }))).into_response()
}

fn render<'a>(
    facts: &'a AccessFacts,
    settings: &'a ShellSettings,
    quarantine: Option<&'a ObjectQuarantine>,
) -> Result<AllowedResponse<'a>, ApiError> {
    let container =
        facts.container.as_ref().ok_or_else(|| ApiError::Internal("allowed without a repository".into()))?;
    let project = facts.project.as_ref();
    let place = place(container, project)?;
    let gitaly = settings.storages.find(place.storage)?;
    let gl_repository = container.repository.to_string();
    let mut git_config_options = settings.git_config_options.clone();
    if let Some(megabytes) = facts.instance.receive_max_input_size.filter(|megabytes| *megabytes > 0) {
        git_config_options.push(format!("receive.maxInputSize={}", megabytes << 20));
    }
    Ok(AllowedResponse {
        status: true,
        gl_repository: gl_repository.clone(),
        gl_project_path: place.path.clone(),
        gl_project_id: project.map(|project| project.id.0),
        gl_root_namespace_id: project.map(|project| project.root.id.0),
        gl_id: facts.user.as_ref().map_or_else(String::new, |user| format!("user-{}", user.id)),
        gl_username: facts.user.as_ref().map(|user| user.username.as_str()),
        git_config_options,
        gitaly: AllowedGitalyResponse {
            repository: AllowedRepositoryResponse {
                storage_name: place.storage,
                relative_path: place.on_disk,
                git_object_directory: quarantine.map_or("", |quarantine| &quarantine.object_directory),
                git_alternate_object_directories: quarantine.map_or(&[], |quarantine| &quarantine.alternates),
                gl_repository,
                gl_project_path: place.path,
            },
            address: &gitaly.address,
            token: gitaly.token.as_ref().map(ExposeSecret::expose_secret),
            features: AllowedFeaturesResponse {},
        },
        gl_console_messages: if access::key_expires_soon(facts) {
            vec!["INFO: Your SSH key expires soon. Please generate a new key."]
        } else {
            Vec::new()
        },
        need_audit: settings.git_audit,
        gl_key_type: facts.key.as_ref().map(|key| if key.deploy { "deploy_key" } else { "key" }),
        gl_key_id: facts.key.as_ref().map(|key| key.id.0),
    })
}

/// Where a repository is: for people, and on its Gitaly.
struct Place<'a> {
    path: String,
    storage: &'a str,
    on_disk: String,
}

fn place<'a>(container: &'a RepositoryContainer, project: Option<&'a AccessProject>) -> Result<Place<'a>, ApiError> {
    if let Some(snippet) = &container.snippet {
        let of = project.map_or_else(String::new, |project| format!("{}/", project.full_path));
        let on_disk = format!("{}.git", hashed_path("@snippets", snippet.id.0));
        return Ok(Place { path: format!("{of}snippets/{}", snippet.id), storage: &snippet.storage, on_disk });
    }
    let project = project.ok_or_else(|| ApiError::Internal("allowed without a project".into()))?;
    let suffix = match container.repository {
        GlRepository::Wiki(_) => ".wiki",
        GlRepository::Design(_) => ".design",
        GlRepository::Project(_) | GlRepository::GroupWiki(_) | GlRepository::Snippet(_) => "",
    };
    let stem = if project.hashed_storage { hashed_path("@hashed", project.id.0) } else { project.full_path.clone() };
    let path = format!("{}{suffix}", project.full_path);
    Ok(Place { path, storage: &project.storage, on_disk: format!("{stem}{suffix}.git") })
}

/// What is written down once access is given: that the user was active, and that the repository has moved.
async fn note(shell: &ShellState, facts: &AccessFacts, attempt: &Attempt, answer: &AllowedResponse<'_>) {
    let Some(user) = &facts.user else { return };
    if attempt.action == GitCommand::Download {
        shell.last_used.note(LastUse::user(user, facts.now));
    }
    let Some(old) = facts.container.as_ref().and_then(|container| container.moved_from.as_deref()) else { return };
    let Some(message) = moved_message(shell, attempt, old, answer).await else { return };
    let (repository, now) = (&answer.gl_repository, facts.now);
    if let Err(error) =
        post_push_messages::upsert(&shell.pushes.repeatable(), user.id, repository, "moved", &message, now).await
    {
        // A hint for people; the access itself is decided.
        tracing::warn!(%error, "could not keep the message that a repository has moved");
    }
}

async fn moved_message(
    shell: &ShellState,
    attempt: &Attempt,
    old: &str,
    answer: &AllowedResponse<'_>,
) -> Option<String> {
    let kind = if answer.gl_repository.starts_with("wiki-") { "Wiki" } else { "Project" };
    let new = &answer.gl_project_path;
    let url = match clone_url(shell, &attempt.protocol, new).await {
        Ok(url) => url,
        Err(error) => {
            tracing::warn!(%error, "the message that a repository has moved is left out");
            return None;
        }
    };
    Some(format!(
        "{kind} '{old}' was moved to '{new}'.\n\nPlease update your Git remote:\n\n  git remote set-url origin {url}\n"
    ))
}

/// The URL that a repository is cloned from by this protocol.
async fn clone_url(shell: &ShellState, protocol: &AccessProtocol, path: &str) -> store::Result<String> {
    match protocol {
        AccessProtocol::Ssh => Ok(format!("{}{path}.git", shell.settings.ssh_prefix)),
        AccessProtocol::Http | AccessProtocol::Web | AccessProtocol::Other(_) => http_clone_url(shell, path).await,
    }
}

/// The URL that a repository is cloned from over HTTP.
pub async fn http_clone_url(shell: &ShellState, path: &str) -> store::Result<String> {
    let root = settings::find_http_clone_root(shell.db.pool()).await?;
    Ok(format!("{}/{path}.git", root.as_ref().unwrap_or(&shell.settings.url)))
}
