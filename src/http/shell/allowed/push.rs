//! The second call of a push: Gitaly asks, from its `pre-receive` hook, whether the ref updates may go in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{NO_GITALY, Place, place, refuse, render};
use crate::domain::access::push::{self, PushAnswers, PushFacts};
use crate::domain::access::refs::{ObjectId, RefName, RefUpdate};
use crate::domain::access::{AccessFacts, Attempt, Denial};
use crate::domain::repository::GlRepository;
use crate::gitaly::{self, CallContext, CheckSteps, ObjectQuarantine, RepositoryClient, RepositoryLocation};
use crate::http::error::ApiError;
use crate::http::shell::ShellState;
use crate::store::push_facts;

/// What Gitaly sends with the ref updates, for every question that is asked back.
#[derive(Debug, Default)]
pub struct PreReceiveHook {
    /// Where the new objects wait.
    pub quarantine: Option<ObjectQuarantine>,
    /// The repository's path inside a transaction of Gitaly's.
    pub relative_path: Option<String>,
    /// The request's correlation id.
    pub correlation_id: String,
}

/// Whether these ref updates may go in.
///
/// # Errors
/// 400 where a line is none of git's; 503 where the database does not answer.
pub async fn check(
    shell: &ShellState,
    facts: &AccessFacts,
    attempt: &Attempt,
    lines: &str,
    hook: &PreReceiveHook,
) -> Result<Response, ApiError> {
    let changes = RefUpdate::list(lines).map_err(|bad| ApiError::BadRequest(format!("changes {bad}")))?;
    let mut steps = CheckSteps::default();
    for change in changes.iter().take(NAMED) {
        steps.note(format!("Running checks for ref: {}", change.name.short()));
    }
    let denied = match denial(shell, facts, attempt, &changes, hook, &mut steps).await {
        Ok(denied) => denied,
        Err(UnansweredPush::Database(error)) => return Err(error.into()),
        Err(UnansweredPush::Gitaly(error)) => return Ok(no_answer(&error, &steps)),
        Err(UnansweredPush::Api(error)) => return Err(error),
    };
    match denied {
        Some(denial) => Ok(refuse(&denial, &shell.settings.url)),
        None => Ok(Json(render(facts, &shell.settings, hook.quarantine.as_ref())?).into_response()),
    }
}

/// Refs that a message about lost time names at most.
const NAMED: usize = 20;

enum UnansweredPush {
    Database(crate::store::Error),
    Gitaly(gitaly::GitalyError),
    Api(ApiError),
}

impl From<crate::store::Error> for UnansweredPush {
    fn from(error: crate::store::Error) -> Self {
        Self::Database(error)
    }
}

impl From<gitaly::GitalyError> for UnansweredPush {
    fn from(error: gitaly::GitalyError) -> Self {
        Self::Gitaly(error)
    }
}

async fn denial(
    shell: &ShellState,
    facts: &AccessFacts,
    attempt: &Attempt,
    changes: &[RefUpdate],
    hook: &PreReceiveHook,
    steps: &mut CheckSteps,
) -> Result<Option<Denial>, UnansweredPush> {
    let repository = match facts.container.as_ref().map(|container| container.repository) {
        Some(GlRepository::Project(project)) => project,
        Some(GlRepository::Snippet(_)) => return snippet_denial(shell, facts, changes, hook, steps).await,
        // A wiki's refs are not looked at.
        Some(GlRepository::Wiki(_) | GlRepository::GroupWiki(_) | GlRepository::Design(_)) | None => return Ok(None),
    };
    let user = facts.user.as_ref().map(|user| user.id);
    let (db, today) = (shell.pushes.pool(), facts.now.date_naive());
    let new_ids: Vec<&str> = changes.iter().filter_map(|change| change.new.as_ref()).map(ObjectId::as_str).collect();
    let found = push_facts::find(db, repository, user, today, &new_ids).await?;
    let mut push = found.ok_or(UnansweredPush::Api(ApiError::NoSuchRecord))?;
    let mut targets = BTreeMap::new();
    for target in push::collaboration_targets(facts, changes) {
        if let Some(found) = push_facts::find(db, target, user, today, &[]).await? {
            targets.insert(target, found);
        }
    }
    push.collaborations = push::collaborations(facts, &targets);
    push.content.lfs &= shell.settings.lfs;
    let answers = answers(shell, facts, &push, changes, hook, steps).await?;
    Ok(push::denial(facts, &attempt.protocol, &push, changes, &answers))
}

/// What the rules ask of Gitaly, and what the database knows of Gitaly's answers.
async fn answers(
    shell: &ShellState,
    facts: &AccessFacts,
    push: &PushFacts,
    changes: &[RefUpdate],
    hook: &PreReceiveHook,
    steps: &mut CheckSteps,
) -> Result<PushAnswers, UnansweredPush> {
    let questions = push::questions(facts, push, changes);
    // What the rules refuse without an answer is not worth a question.
    let refused = push::denial_without_answers(facts, push, changes);
    if questions.is_empty() || refused {
        return Ok(PushAnswers::default());
    }
    let new_ids: Vec<ObjectId> = changes.iter().filter_map(|change| change.new.clone()).collect();
    let (mut answers, oids) = open(shell, facts, hook)?.answer(&questions, &new_ids, steps).await?;
    if let (false, Some(project)) = (oids.is_empty(), &facts.project) {
        answers.content.lfs_objects_missing =
            push_facts::misses_lfs_objects(shell.pushes.pool(), project.id, &oids).await?;
    }
    if questions.content.users {
        let commits = answers.content.commits.values();
        let mut addresses: Vec<String> = commits
            .flat_map(|commit| [commit.author_email.to_lowercase(), commit.committer_email.to_lowercase()])
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        // A commit may name anything; what PostgreSQL's text cannot hold is nobody's address.
        addresses.retain(|address| !address.contains('\0'));
        let known = push_facts::list_addresses_of_users(shell.pushes.pool(), &addresses).await?;
        answers.content.users = known.into_iter().collect();
    }
    Ok(answers)
}

/// Branches of snippets come and go with the snippet; only the very first one is pushed.
async fn snippet_denial(
    shell: &ShellState,
    facts: &AccessFacts,
    changes: &[RefUpdate],
    hook: &PreReceiveHook,
    steps: &mut CheckSteps,
) -> Result<Option<Denial>, UnansweredPush> {
    let branches = || changes.iter().filter(|change| matches!(change.name, RefName::Branch(_)));
    if branches().any(RefUpdate::is_deletion) {
        return Ok(Some(Denial::SnippetBranch));
    }
    if !branches().any(RefUpdate::is_creation) {
        return Ok(None);
    }
    let questions = push::PushQuestions { empty: true, ..push::PushQuestions::default() };
    let (answers, _) = open(shell, facts, hook)?.answer(&questions, &[], steps).await?;
    Ok((!answers.empty || branches().count() > 1).then_some(Denial::SnippetBranch))
}

fn open(shell: &ShellState, facts: &AccessFacts, hook: &PreReceiveHook) -> Result<RepositoryClient, UnansweredPush> {
    let container = facts.container.as_ref().ok_or(UnansweredPush::Api(ApiError::NoSuchRecord))?;
    let Place { path, storage, on_disk } = place(container, facts.project.as_ref()).map_err(UnansweredPush::Api)?;
    let location = RepositoryLocation {
        storage: storage.to_owned(),
        relative_path: on_disk,
        gl_repository: container.repository.to_string(),
        gl_project_path: path,
    };
    let context = CallContext {
        quarantine: hook.quarantine.clone(),
        transaction_path: hook.relative_path.clone(),
        correlation_id: hook.correlation_id.clone(),
        session: Uuid::new_v4(),
        deadline: Instant::now() + shell.settings.push_check_timeout,
    };
    Ok(shell.gitaly.repository(location, context)?)
}

/// Nothing is let through unasked. Gitaly shows the message to the user, whatever the status.
fn no_answer(error: &gitaly::GitalyError, steps: &CheckSteps) -> Response {
    tracing::warn!(%error, "Gitaly gave no answer about a push");
    let say = |status: StatusCode, message: String| (status, Json(json!({ "status": false, "message": message })));
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    match error {
        gitaly::GitalyError::Deadline => {
            let heading = "Push operation timed out\n\nTiming information for debugging purposes:\n";
            say(busy, format!("{heading}{steps}")).into_response()
        }
        gitaly::GitalyError::Exhausted { retry_after, .. } => {
            let seconds = retry_after.unwrap_or(Duration::from_secs(1)).as_secs().max(1);
            let message = "Upstream Gitaly has been exhausted. Try again later".to_owned();
            ([(RETRY_AFTER, seconds.to_string())], say(busy, message)).into_response()
        }
        gitaly::GitalyError::TooMany { limit } => {
            let message = format!("Your push brings more than {limit} objects that must be checked. Push it in parts.");
            say(StatusCode::UNPROCESSABLE_ENTITY, message).into_response()
        }
        gitaly::GitalyError::TooLarge { limit } => {
            let message = format!("Your push brings more than {limit} bytes that must be checked. Push it in parts.");
            say(StatusCode::UNPROCESSABLE_ENTITY, message).into_response()
        }
        gitaly::GitalyError::Unavailable(_)
        | gitaly::GitalyError::UnknownStorage(_)
        | gitaly::GitalyError::NotFound(_)
        | gitaly::GitalyError::Failed(_) => say(busy, NO_GITALY.to_owned()).into_response(),
    }
}

/// The `env` of a request: a JSON object in a text, of which two names count. What cannot be read says nothing.
pub fn quarantine(env: Option<&Value>) -> Option<ObjectQuarantine> {
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
