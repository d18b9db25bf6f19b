//! `POST /allowed`: may this actor fetch from this repository, or push to it, and where is it?

mod limiter;
mod unanswered;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

pub use self::limiter::AttemptLimiter;
use super::actor::ActorRequest;
use super::context::readable_context;
use super::{ShellSettings, ShellState};
use crate::background::last_used::LastUse;
use crate::domain::access::{
    self, AccessFacts, AccessProtocol, AccessTarget, Attempt, ClientIp, Denial, DenialAnswer, GitCommand, PushChanges,
};
use crate::domain::repository::{GlRepository, RepositoryPath};
use crate::gitaly::ObjectQuarantine;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::{ApiError, report};
use crate::http::extract::RequestParams;
use crate::http::layers::CorrelationId;
use crate::http::openapi::FailureResponse;
use crate::http::wire::{GitText, WireText};
use crate::services::check_access::{self, AccessCheckError, AccessOutcome, DeniedAttempt};
use crate::services::check_push::PreReceiveHook;
use crate::services::record_refusal;
use crate::store;

/// What gitlab-shell sends before it dials Gitaly, and Gitaly from its `pre-receive` hook (allowed.md 1.2).
#[derive(Debug, Deserialize, ToSchema)]
pub struct AllowedRequest {
    action: Option<WireText>,
    protocol: Option<WireText>,
    project: Option<WireText>,
    gl_repository: Option<WireText>,
    changes: Option<GitText>,
    check_ip: Option<WireText>,
    namespace_path: Option<WireText>,
    env: Option<Value>,
    relative_path: Option<WireText>,
    gitaly_client_context_bin: Option<WireText>,
    #[serde(flatten)]
    actor: ActorRequest,
}

/// Where the repository is, and on whose behalf git acts there (allowed.md 4.1).
#[derive(Debug, Serialize, ToSchema)]
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

#[derive(Debug, Serialize, ToSchema)]
struct AllowedGitalyResponse<'a> {
    repository: AllowedRepositoryResponse<'a>,
    address: &'a str,
    token: Option<&'a str>,
    features: AllowedFeaturesResponse,
}

#[derive(Debug, Serialize, ToSchema)]
struct AllowedRepositoryResponse<'a> {
    storage_name: String,
    relative_path: String,
    git_object_directory: &'a str,
    git_alternate_object_directories: &'a [String],
    gl_repository: String,
    gl_project_path: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct AllowedFeaturesResponse {}

/// The decision, and for an attempt that may go on everything that the client needs next.
///
/// # Errors
/// 400 where a parameter is missing or cannot be read, 503 where the database does not answer.
#[utoipa::path(
    post,
    path = "/allowed",
    request_body(
        content = AllowedRequest,
        example = json!({
            "key_id": "11", "project": "gnuwget/wget2", "action": "git-upload-pack", "changes": "_any", "protocol": "ssh"
        })
    ),
    responses(
        (status = 200, body = AllowedResponse),
        (status = 401, description = "The caller is not known, or the attempt is denied", body = FailureResponse),
        (status = 422, description = "The attempt can never succeed as it is", body = FailureResponse),
        (status = 429, description = "The actor asks too often about the project", body = FailureResponse)
    )
)]
pub async fn check(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    Extension(CorrelationId(correlation_id)): Extension<CorrelationId>,
    RequestParams(request): RequestParams<AllowedRequest>,
) -> Result<Response, ApiError> {
    let hook = PreReceiveHook {
        quarantine: quarantine(request.env.as_ref()),
        relative_path: request.relative_path.as_ref().map(|path| path.0.clone()).filter(|path| !path.is_empty()),
        correlation_id,
    };
    let attempt = Attempt::try_from(request)?;
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

/// What is said where a push cannot be judged for want of a database.
const NO_ANSWER: &str =
    "Your push cannot be checked, because the database is not available at this time. Please try again.";

async fn answer(shell: &ShellState, attempt: &Attempt, hook: &PreReceiveHook) -> Result<Response, ApiError> {
    let (subject, now) = (attempt.subject(), shell.clock.now());
    let facts = match attempt.changes {
        PushChanges::Lines(_) => shell.access.load_within(subject, now, shell.pushes.terms().whole()).await?,
        PushChanges::Any | PushChanges::None => shell.access.load(subject, now).await?,
    };
    if let Some(key) = &facts.key {
        // A4: whatever the verdict, the key was used.
        shell.last_used.note(LastUse::key(key, facts.now));
    }
    if shell.limiter.exceeded(attempt, &facts) {
        count(attempt, "rate_limit");
        shell
            .refusals
            .note(|| record_refusal::record(attempt, &facts, &hook.correlation_id, "rate_limit", TOO_MANY, None));
        return Ok(too_many());
    }
    let stale = facts.stale;
    let mut answer = decide(shell, facts, attempt, hook).await?;
    if let Some(age) = stale {
        let seconds = age.as_secs_f64().ceil();
        tracing::warn!(seconds, "decided by a standby, for the primary is away");
        let value = HeaderValue::try_from(format!("{seconds}")).map_err(|error| ApiError::Internal(error.into()))?;
        answer.headers_mut().insert(STALE, value);
    }
    Ok(answer)
}

/// On an answer that was decided by a standby while the primary was away: how many seconds old its facts may be.
const STALE: HeaderName = HeaderName::from_static("gatehouse-stale-facts");

async fn decide(
    shell: &ShellState,
    facts: AccessFacts,
    attempt: &Attempt,
    hook: &PreReceiveHook,
) -> Result<Response, ApiError> {
    let outcome = check_access::check(&shell.checker, facts, attempt, hook).await?;
    count(
        attempt,
        match &outcome {
            AccessOutcome::Allowed(_) => "allowed",
            AccessOutcome::Denied(denied) => denied.denial.rule(),
            AccessOutcome::Impossible(_) => "impossible",
            AccessOutcome::Unanswered(..) => "unanswered",
        },
    );
    match outcome {
        AccessOutcome::Allowed(facts) => {
            if let (GitCommand::Download, Some(user)) = (attempt.command, &facts.user) {
                shell.last_used.note(LastUse::user(user, facts.now));
            }
            // Where objects wait is told to Gitaly alone, which told us.
            let of_gitaly = matches!(attempt.changes, PushChanges::Lines(_));
            let quarantine = hook.quarantine.as_ref().filter(|_| of_gitaly);
            Ok(Json(render(&facts, &shell.settings, quarantine)?).into_response())
        }
        AccessOutcome::Denied(denied) => {
            let DeniedAttempt { denial, update, facts } = *denied;
            let message = denial.sentence(&shell.settings.url);
            let update = update.as_ref();
            let id = &hook.correlation_id;
            shell.refusals.note(|| record_refusal::record(attempt, &facts, id, denial.rule(), &message, update));
            Ok(refuse(&denial, &message))
        }
        // Not 503: gitlab-shell would try twice more and then tell nobody why.
        AccessOutcome::Impossible(message) => Ok(say(StatusCode::UNPROCESSABLE_ENTITY, &message)),
        AccessOutcome::Unanswered(error, steps) => Ok(unanswered::render(&error, &steps)),
    }
}

/// Counts the decision: Gitaly's question about the refs of a push apart from the one before git begins.
fn count(attempt: &Attempt, rule: &'static str) {
    let call = match attempt.changes {
        PushChanges::Lines(_) => "pre_receive",
        PushChanges::Any | PushChanges::None => "access",
    };
    metrics::counter!("gatehouse_decisions_total", "call" => call, "rule" => rule).increment(1);
}

impl From<AccessCheckError> for ApiError {
    fn from(error: AccessCheckError) -> Self {
        match error {
            AccessCheckError::Store(error) => error.into(),
            AccessCheckError::TooManyCreations => Self::Unavailable(error.into()),
            AccessCheckError::BadLine(_) => Self::BadRequest(error.to_string()),
            AccessCheckError::Gone => Self::NoSuchRecord,
        }
    }
}

impl TryFrom<AllowedRequest> for Attempt {
    type Error = ApiError;

    fn try_from(request: AllowedRequest) -> Result<Self, ApiError> {
        readable_context(request.gitaly_client_context_bin.as_ref())?;
        let command = match request.action.as_ref().map(AsRef::as_ref) {
            Some("git-upload-pack" | "git-upload-archive") => GitCommand::Download,
            Some("git-receive-pack") => GitCommand::Push,
            _ => GitCommand::Unknown,
        };
        let changes = match (command, request.changes) {
            (GitCommand::Push, None) => return Err(ApiError::Missing("changes")),
            (GitCommand::Push, Some(changes)) if changes.0 == "_any" => PushChanges::Any,
            (GitCommand::Push, Some(changes)) => PushChanges::Lines(changes.0),
            (GitCommand::Download | GitCommand::Unknown, _) => PushChanges::None,
        };
        Ok(Self {
            command,
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
pub fn target(gl_repository: Option<&WireText>, project: Option<&WireText>) -> Result<AccessTarget, ApiError> {
    match (gl_repository.filter(|name| !name.0.is_empty()), project) {
        (Some(name), _) => GlRepository::parse(&name.0)
            .map(AccessTarget::Repository)
            .map_err(|_| ApiError::BadRequest("gl_repository is invalid".to_owned())),
        (None, Some(path)) => Ok(AccessTarget::Path(RepositoryPath::new(&path.0))),
        (None, None) => Err(ApiError::Missing("project")),
    }
}

fn refuse(denial: &Denial, message: &str) -> Response {
    let status = match denial.answer() {
        // GitLab's word for it, although the caller is known: clients show the message of any 4xx.
        DenialAnswer::Forbidden => StatusCode::UNAUTHORIZED,
        DenialAnswer::NotFound => StatusCode::NOT_FOUND,
    };
    say(status, message)
}

const TOO_MANY: &str = "This endpoint has been requested too many times. Try again later.";

/// Without `Retry-After`: gitlab-shell would wait for as long, and its user with it.
fn too_many() -> Response {
    (StatusCode::TOO_MANY_REQUESTS, Json(json!({ "message": { "error": TOO_MANY } }))).into_response()
}

fn say(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "status": false, "message": message }))).into_response()
}

fn render<'a>(
    facts: &'a AccessFacts,
    settings: &'a ShellSettings,
    quarantine: Option<&'a ObjectQuarantine>,
) -> Result<AllowedResponse<'a>, ApiError> {
    let location = facts.location().ok_or_else(|| ApiError::Internal("allowed without a repository".into()))?;
    let project = facts.project.as_ref();
    let gitaly = settings.storages.find(&location.storage)?;
    let mut git_config_options = settings.git_config_options.clone();
    if let Some(megabytes) = facts.instance.receive_max_input_size.filter(|megabytes| *megabytes > 0) {
        git_config_options.push(format!("receive.maxInputSize={}", megabytes << 20));
    }
    Ok(AllowedResponse {
        status: true,
        gl_repository: location.gl_repository.clone(),
        gl_project_path: location.gl_project_path.clone(),
        gl_project_id: project.map(|project| project.id.0),
        gl_root_namespace_id: project.map(|project| project.root.id.0),
        gl_id: facts.user.as_ref().map_or_else(String::new, |user| format!("user-{}", user.id)),
        gl_username: facts.user.as_ref().map(|user| user.username.as_str()),
        git_config_options,
        gitaly: AllowedGitalyResponse {
            repository: AllowedRepositoryResponse {
                storage_name: location.storage,
                relative_path: location.relative_path,
                git_object_directory: quarantine.map_or("", |quarantine| &quarantine.object_directory),
                git_alternate_object_directories: quarantine.map_or(&[], |quarantine| &quarantine.alternates),
                gl_repository: location.gl_repository,
                gl_project_path: location.gl_project_path,
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

/// The `env` of a request: a JSON object in a text, of which two names count. What cannot be read says nothing.
fn quarantine(env: Option<&Value>) -> Option<ObjectQuarantine> {
    #[derive(Deserialize)]
    struct QuarantineEnv {
        #[serde(rename = "GIT_OBJECT_DIRECTORY_RELATIVE")]
        object_directory: Option<String>,
        #[serde(rename = "GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE")]
        alternates: Option<Vec<String>>,
    }
    let env: QuarantineEnv = serde_json::from_str(env?.as_str()?).ok()?;
    let object_directory = env.object_directory.unwrap_or_default();
    let alternates = env.alternates.unwrap_or_default();
    let said = !object_directory.is_empty() || !alternates.is_empty();
    said.then_some(ObjectQuarantine { object_directory, alternates })
}
