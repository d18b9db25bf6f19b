//! `POST /allowed`: may this actor fetch from this repository, or push to it, and where is it?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::actor::ActorRequest;
use super::context::readable_context;
use super::{ShellSettings, ShellState};
use crate::domain::access::{
    self, Action, Answer, Attempt, Changes, ClientIp, Container, Decision, Denial, Facts, Project, Protocol, Target,
};
use crate::domain::repository::{GlRepository, RepositoryPath, hashed_path};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::Params;
use crate::http::wire::Text;
use crate::store::post_push_messages;
use crate::store::touches::Touch;

/// What gitlab-shell sends before it dials Gitaly, and Gitaly from its `pre-receive` hook (allowed.md 1.2).
#[derive(Debug, Deserialize)]
pub struct AllowedRequest {
    action: Option<Text>,
    protocol: Option<Text>,
    project: Option<Text>,
    gl_repository: Option<Text>,
    changes: Option<Text>,
    check_ip: Option<Text>,
    namespace_path: Option<Text>,
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
    gitaly: GitalyResponse<'a>,
    gl_console_messages: Vec<&'static str>,
    need_audit: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_key_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gl_key_id: Option<i64>,
}

#[derive(Debug, Serialize)]
struct GitalyResponse<'a> {
    repository: RepositoryResponse<'a>,
    address: &'a str,
    token: Option<&'a str>,
    features: Features,
}

#[derive(Debug, Serialize)]
struct RepositoryResponse<'a> {
    storage_name: &'a str,
    relative_path: String,
    git_object_directory: &'static str,
    git_alternate_object_directories: [&'static str; 0],
    gl_repository: String,
    gl_project_path: String,
}

#[derive(Debug, Serialize)]
struct Features {}

/// The decision, and for an attempt that may go on everything that the client needs next.
///
/// # Errors
/// 400 where a parameter is missing or cannot be read, 503 where the database does not answer.
pub async fn check(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    Params(request): Params<AllowedRequest>,
) -> Result<Response, ApiError> {
    let attempt = Arc::new(Attempt::try_from(request)?);
    let facts = shell.access.load(Arc::clone(&attempt), shell.clock.now()).await?;
    match access::decide(&facts, &attempt) {
        Decision::Deny(denial) => Ok(refuse(&denial, &shell.settings.url)),
        Decision::Allow if matches!(attempt.changes, Changes::Lines(_)) => {
            Err(ApiError::NotImplemented("the ref updates of a push cannot be checked yet"))
        }
        Decision::Allow => {
            let answer = render(&facts, &shell.settings)?;
            note(&shell, &facts, &attempt, &answer).await;
            Ok(Json(answer).into_response())
        }
    }
}

impl TryFrom<AllowedRequest> for Attempt {
    type Error = ApiError;

    fn try_from(request: AllowedRequest) -> Result<Self, ApiError> {
        readable_context(request.gitaly_client_context_bin.as_ref())?;
        let action = match request.action.as_ref().map(AsRef::as_ref) {
            Some("git-upload-pack" | "git-upload-archive") => Action::Download,
            Some("git-receive-pack") => Action::Push,
            _ => Action::Unknown,
        };
        let changes = match (action, request.changes) {
            (Action::Push, None) => return Err(ApiError::Missing("changes")),
            (Action::Push, Some(changes)) if changes.0 == "_any" => Changes::Any,
            // No change at all is asked like any change: nobody pushes nothing, and nothing is let through unasked.
            (Action::Push, Some(changes)) if changes.0.trim().is_empty() => Changes::Any,
            (Action::Push, Some(changes)) => Changes::Lines(changes.0),
            (Action::Download | Action::Unknown, _) => Changes::None,
        };
        Ok(Self {
            action,
            protocol: Protocol::from(request.protocol.ok_or(ApiError::Missing("protocol"))?.as_ref()),
            target: target(request.gl_repository.as_ref(), request.project.as_ref())?,
            actor: request.actor.into(),
            changes,
            client_ip: request.check_ip.filter(|ip| !ip.0.is_empty()).map(|ip| client_ip(&ip.0)),
            certified_by: request.namespace_path.map(|path| path.0).filter(|path| !path.is_empty()),
        })
    }
}

/// The repository that a request names: `gl_repository`, or else the path in `project`.
///
/// # Errors
/// 400 where there is neither, or the `gl_repository` has no form that we know.
pub fn target(gl_repository: Option<&Text>, project: Option<&Text>) -> Result<Target, ApiError> {
    match (gl_repository.filter(|name| !name.0.is_empty()), project) {
        (Some(name), _) => GlRepository::parse(&name.0)
            .map(Target::Repository)
            .map_err(|_| ApiError::BadRequest("gl_repository is invalid".to_owned())),
        (None, Some(path)) => Ok(Target::Path(RepositoryPath::new(&path.0))),
        (None, None) => Err(ApiError::Missing("project")),
    }
}

fn client_ip(text: &str) -> ClientIp {
    text.parse().map_or(ClientIp::Garbage, ClientIp::Known)
}

fn refuse(denial: &Denial, url: &str) -> Response {
    let status = match denial.answer() {
        // GitLab's word for it, although the caller is known: clients show the message of any 4xx.
        Answer::Forbidden => StatusCode::UNAUTHORIZED,
        Answer::NotFound => StatusCode::NOT_FOUND,
    };
    (status, Json(json!({ "status": false, "message": denial.sentence(url) }))).into_response()
}

fn render<'a>(facts: &'a Facts, settings: &'a ShellSettings) -> Result<AllowedResponse<'a>, ApiError> {
    let container =
        facts.container.as_ref().ok_or_else(|| ApiError::Internal("allowed without a repository".into()))?;
    let project = facts.project.as_ref();
    let place = place(container, project)?;
    let gitaly = settings.storages.get(place.storage).ok_or_else(|| {
        ApiError::Unavailable(format!("storage {} is not in the settings: repositories.storages", place.storage).into())
    })?;
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
        gitaly: GitalyResponse {
            repository: RepositoryResponse {
                storage_name: place.storage,
                relative_path: place.on_disk,
                git_object_directory: "",
                git_alternate_object_directories: [],
                gl_repository,
                gl_project_path: place.path,
            },
            address: &gitaly.address,
            token: gitaly.token.as_ref().map(ExposeSecret::expose_secret),
            features: Features {},
        },
        gl_console_messages: if access::key_expires_soon(facts) {
            vec!["INFO: Your SSH key expires soon. Please generate a new key."]
        } else {
            Vec::new()
        },
        need_audit: false,
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

fn place<'a>(container: &'a Container, project: Option<&'a Project>) -> Result<Place<'a>, ApiError> {
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

/// What is written down once the answer is known: that key and user were seen, and that the repository has moved.
async fn note(shell: &ShellState, facts: &Facts, attempt: &Attempt, answer: &AllowedResponse<'_>) {
    if let Some(key) = &facts.key {
        shell.touches.note(Touch::key(key, facts.now));
    }
    let Some(user) = &facts.user else { return };
    if attempt.action == Action::Download {
        shell.touches.note(Touch::user(user, facts.now));
    }
    let Some(old) = facts.container.as_ref().and_then(|container| container.moved_from.as_deref()) else { return };
    let message = moved_message(shell, attempt, old, answer);
    let (repository, now) = (&answer.gl_repository, facts.now);
    if let Err(error) = post_push_messages::upsert_moved(shell.db.pool(), user.id, repository, &message, now).await {
        // A hint for people; the access itself is decided.
        tracing::warn!(%error, "could not keep the message that a repository has moved");
    }
}

fn moved_message(shell: &ShellState, attempt: &Attempt, old: &str, answer: &AllowedResponse<'_>) -> String {
    let kind = if answer.gl_repository.starts_with("wiki-") { "Wiki" } else { "Project" };
    let new = &answer.gl_project_path;
    let url = if attempt.protocol == Protocol::Ssh {
        format!("{}{new}.git", shell.settings.ssh_prefix)
    } else {
        format!("{}/{new}.git", shell.settings.url)
    };
    format!(
        "{kind} '{old}' was moved to '{new}'.\n\nPlease update your Git remote:\n\n  git remote set-url origin {url}\n"
    )
}
