//! May this client fetch or push, and if so, what does Workhorse need to know? (`git_http.md` 2)

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::PlainRefusal;
use super::{ClientAddress, GitHttpSettings, GitHttpState, RequestedRepository};
use crate::background::last_used::LastUse;
use crate::domain::access::{
    AccessActor, AccessFacts, AccessProtocol, AccessTarget, ActorName, Attempt, ClientIp, GitCommand, PushChanges,
};
use crate::domain::repository::GlRepository;
use crate::http::error::ApiError;
use crate::http::layers::CorrelationId;
use crate::services::check_access::{self, AccessOutcome, DeniedAttempt, NO_GITALY};
use crate::services::check_push::PreReceiveHook;
use crate::services::record_refusal;

/// The type that tells Workhorse to go on, with these facts.
pub const INTERNAL_TYPE: &str = "application/vnd.gitlab-workhorse+json";

/// Who asks for which repository.
pub struct GitRequest<'a> {
    pub repository: RequestedRepository,
    pub address: ClientAddress,
    pub headers: &'a HeaderMap,
    pub correlation_id: CorrelationId,
}

/// What Workhorse needs to go on: for whom, and where the repository is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PreauthorisationResponse<'a> {
    #[serde(rename = "GL_ID")]
    gl_id: String,
    #[serde(rename = "GL_USERNAME")]
    gl_username: Option<&'a str>,
    #[serde(rename = "GL_REPOSITORY")]
    gl_repository: String,
    show_all_refs: bool,
    need_audit: bool,
    #[serde(rename = "ProjectID", skip_serializing_if = "Option::is_none")]
    project_id: Option<i64>,
    #[serde(rename = "RootNamespaceID", skip_serializing_if = "Option::is_none")]
    root_namespace_id: Option<i64>,
    git_config_options: Vec<String>,
    repository: WorkhorseRepository,
    gitaly_server: WorkhorseGitaly<'a>,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkhorseRepository {
    storage_name: String,
    relative_path: String,
    git_object_directory: &'static str,
    git_alternate_object_directories: [&'static str; 0],
    gl_repository: String,
    gl_project_path: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct WorkhorseGitaly<'a> {
    address: &'a str,
    token: Option<&'a str>,
    /// Read by Workhorse of before `call_metadata`.
    features: BTreeMap<&'static str, String>,
    call_metadata: BTreeMap<&'static str, String>,
}

/// The answer to a pre-authorisation.
pub async fn answer(git: &GitHttpState, command: GitCommand, asked: GitRequest<'_>) -> Result<Response, PlainRefusal> {
    let url = &git.settings.url;
    let (now, ClientAddress(address)) = (git.clock.now(), asked.address);
    let mut attempt = Attempt {
        command,
        protocol: AccessProtocol::Http,
        actor: ActorName::Nobody,
        target: AccessTarget::Path(asked.repository.0),
        changes: if command == GitCommand::Push { PushChanges::Any } else { PushChanges::None },
        client_ip: Some(ClientIp::Known(address)),
        certified_by: None,
    };
    let identified = git.auth.identify(asked.headers, &mut attempt, address, now).await;
    let facts = identified.map_err(|refusal| PlainRefusal::of_credential(refusal, url))?;
    let hook = PreReceiveHook { quarantine: None, relative_path: None, correlation_id: asked.correlation_id.0 };
    let outcome = check_access::check(&git.checker, facts, &attempt, &hook).await?;
    let (rule, answered) = match outcome {
        AccessOutcome::Allowed(facts) => {
            if let Some(user) = &facts.user {
                git.last_used.note(LastUse::user(user, now));
            }
            let body = render(&facts, &git.settings, address)?;
            ("allowed", Ok(([(CONTENT_TYPE, INTERNAL_TYPE)], Json(body)).into_response()))
        }
        AccessOutcome::Denied(denied) => {
            let DeniedAttempt { denial, facts, .. } = *denied;
            let (message, id) = (denial.sentence(url), &hook.correlation_id);
            git.refusals.note(|| record_refusal::record(&attempt, &facts, id, denial.rule(), &message, None));
            (denial.rule(), Err(PlainRefusal::of_denial(&denial, url)))
        }
        AccessOutcome::Impossible(reason) => ("impossible", Err(PlainRefusal::impossible(reason))),
        AccessOutcome::Unanswered(..) => ("unanswered", Err(PlainRefusal::impossible(NO_GITALY.to_owned()))),
    };
    metrics::counter!("gatehouse_decisions_total", "call" => "http", "rule" => rule).increment(1);
    answered
}

fn render<'a>(
    facts: &'a AccessFacts,
    settings: &'a GitHttpSettings,
    address: IpAddr,
) -> Result<PreauthorisationResponse<'a>, PlainRefusal> {
    let location = facts.location().ok_or_else(|| ApiError::Internal("allowed without a repository".into()))?;
    let gitaly = settings.storages.find(&location.storage)?;
    let of_project =
        facts.container.as_ref().is_some_and(|container| matches!(container.repository, GlRepository::Project(_)));
    let project = facts.project.as_ref().filter(|_| of_project);
    let (gl_id, gl_username) = match facts.actor() {
        AccessActor::User(user) => (format!("user-{}", user.id), Some(user.username.as_str())),
        AccessActor::DeployToken(token) => (format!("deploy-token-{}", token.id), Some(token.username.as_str())),
        AccessActor::DeployKey(_) | AccessActor::Nobody => (String::new(), None),
    };
    let mut call_metadata = BTreeMap::from([("remote_ip", address.to_string())]);
    if let Some(username) = gl_username {
        call_metadata.extend([("user_id", gl_id.clone()), ("username", username.to_owned())]);
    }
    let largest = facts.instance.receive_max_input_size.filter(|megabytes| *megabytes > 0);
    Ok(PreauthorisationResponse {
        gl_id,
        gl_username,
        gl_repository: location.gl_repository.clone(),
        show_all_refs: false,
        need_audit: settings.git_audit,
        project_id: project.map(|project| project.id.0),
        root_namespace_id: project.map(|project| project.root.id.0),
        git_config_options: largest
            .map(|megabytes| format!("receive.maxInputSize={}", megabytes << 20))
            .into_iter()
            .collect(),
        repository: WorkhorseRepository {
            storage_name: location.storage,
            relative_path: location.relative_path,
            git_object_directory: "",
            git_alternate_object_directories: [],
            gl_repository: location.gl_repository,
            gl_project_path: location.gl_project_path,
        },
        gitaly_server: WorkhorseGitaly {
            address: &gitaly.address,
            token: gitaly.token.as_ref().map(ExposeSecret::expose_secret),
            features: BTreeMap::new(),
            call_metadata,
        },
    })
}
