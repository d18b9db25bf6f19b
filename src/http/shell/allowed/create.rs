//! A push to a path without a project makes one, where the user may (allowed.md 2.5).

use std::fmt::Display;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use rand::seq::IndexedRandom;
use tokio::sync::Semaphore;

use super::NO_GITALY;
use crate::domain::access::{
    AccessActor, AccessFacts, AccessProtocol, AccessTarget, Attempt, Denial, GitCommand, PushChanges,
};
use crate::domain::default_branch::USUAL;
use crate::domain::ids::ProjectId;
use crate::domain::project_creation::{self, CreationRefusal, ParentNamespace};
use crate::domain::repository::{GlRepository, SuffixedPath, hashed_path};
use crate::gitaly::{self, CallContext, RepositoryLocation};
use crate::http::error::ApiError;
use crate::http::shell::ShellState;
use crate::store::{self, Error, post_push_messages, project_creation as rows};

/// What making the project may take; gitlab-shell waits for longer.
const BUDGET: Duration = Duration::from_secs(20);
/// Projects that a server makes at once: each holds a connection to the database while Gitaly works, and other pushes need
/// some too.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What became of the wish.
pub enum Creation {
    /// Nobody asked for a project, or they may not make it: the refusal stands.
    No,
    /// The push to the project that would be made is refused.
    Denied(Denial),
    /// The project is there now, by us or by somebody who was faster.
    Done,
    /// It cannot be made, for this reason.
    Impossible(String),
}

impl Creation {
    /// The status of an impossible project.
    pub const STATUS: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

    fn impossible(reason: impl Display) -> Self {
        Self::Impossible(format!("Could not create project: {reason}"))
    }

    fn refused(refusal: CreationRefusal) -> Self {
        match refusal {
            CreationRefusal::NotPermitted => Self::No,
            CreationRefusal::Denied(denial) => Self::Denied(denial),
            CreationRefusal::BadName(error) => Self::impossible(format!("Path {error}")),
        }
    }
}

/// Makes the project that the attempt pushes to, where that is what it asks for and it would be let in. What is decided is
/// decided before the first effect, one push to a namespace after the other; then its repository comes first, under an id
/// that no project gets again, and its rows second, so that no row is locked while Gitaly works, and whoever fails or dies
/// on the way leaves no project.
pub async fn create(
    shell: &ShellState,
    facts: &AccessFacts,
    attempt: &Attempt,
    correlation_id: &str,
) -> Result<Creation, ApiError> {
    let Some((namespace, name)) = wished(facts, attempt) else { return Ok(Creation::No) };
    let AccessActor::User(user) = facts.actor() else { return Ok(Creation::No) };
    let today = facts.now.date_naive();
    // Whoever may not is told so without waiting for others.
    let Some(home) = rows::find_home(shell.pushes.pool(), namespace, user.id, today).await? else {
        return Ok(Creation::No);
    };
    if let Err(refusal) = project_creation::decide(facts, attempt, &home, name) {
        return Ok(Creation::refused(refusal));
    }
    let Some(storage) = storage(shell).await? else {
        return Ok(Creation::impossible("No storage takes new repositories. Please contact your administrator."));
    };

    let turn = tokio::time::timeout(BUDGET, AT_ONCE.acquire()).await;
    let _turn = turn.map_err(|_| ApiError::Unavailable("too many projects are being made".into()))?;
    let mut transaction = shell.pushes.begin().await?;
    rows::lock_creation(&mut *transaction, home.id).await?;
    let Some(home) = rows::find_home(&mut *transaction, namespace, user.id, today).await? else {
        return Ok(Creation::No);
    };
    if let Err(refusal) = project_creation::decide(facts, attempt, &home, name) {
        return Ok(Creation::refused(refusal));
    }
    // Somebody else has pushed to the same path just now.
    if rows::is_taken(&mut *transaction, &format!("{}/{name}", home.full_path)).await? {
        return Ok(Creation::Done);
    }
    let id = rows::reserve_id(&mut *transaction).await?;
    match create_repository(shell, &home, name, id, &storage, correlation_id).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::error!(project.id = id.0, storage, "a new project's repository is there already, with branches");
            return Ok(Creation::impossible("Its repository belongs to somebody. Please contact your administrator."));
        }
        Err(error) => {
            tracing::warn!(%error, storage, "a push could not make a repository");
            // Not 503: gitlab-shell would try twice more and then tell nobody why.
            return Ok(Creation::impossible(NO_GITALY));
        }
    }
    match rows::insert(&mut transaction, id, &home, name, &storage, user.id, today).await {
        Ok(()) => transaction.commit().await?,
        // Somebody else has taken the path just now.
        Err(Error::Duplicate(_)) => return Ok(Creation::Done),
        Err(error) => return Err(error.into()),
    }

    let path = format!("{}/{name}", home.full_path);
    tracing::info!(project.id = id.0, project.path = path, user.id = user.id.0, "a push made a project");
    let repository = GlRepository::Project(id).to_string();
    let kept = async {
        let message = message(shell, &attempt.protocol, &path).await?;
        post_push_messages::upsert(shell.pushes.pool(), user.id, &repository, "created", &message, facts.now).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "could not keep the message that a project was created");
    }
    Ok(Creation::Done)
}

/// The namespace and the name of the project that gitlab-shell's call before a push wishes for.
fn wished<'a>(facts: &AccessFacts, attempt: &'a Attempt) -> Option<(&'a str, &'a str)> {
    let AccessTarget::Path(path) = &attempt.target else { return None };
    let absent = facts.container.is_none() && facts.project.is_none();
    let snippet = matches!(path.suffixed(), Some(SuffixedPath::Snippet(..)));
    let push = attempt.action == GitCommand::Push && attempt.changes == PushChanges::Any;
    let (namespace, name) = path.in_namespace()?;
    let below_snippets = namespace.split('/').nth(1) == Some("snippets");
    (absent && push && !snippet && !below_snippets).then_some((namespace, name))
}

/// False where something lies there already: after the database was restored, its ids may have been others' before.
async fn create_repository(
    shell: &ShellState,
    home: &ParentNamespace,
    name: &str,
    id: ProjectId,
    storage: &str,
    correlation_id: &str,
) -> gitaly::GitalyResult<bool> {
    let location = RepositoryLocation {
        storage: storage.to_owned(),
        relative_path: format!("{}.git", hashed_path("@hashed", id.0)),
        gl_repository: GlRepository::Project(id).to_string(),
        gl_project_path: format!("{}/{name}", home.full_path),
    };
    let context = CallContext::new(correlation_id, Instant::now() + BUDGET);
    let head = home.default_branch.as_deref().unwrap_or(USUAL);
    let repository = shell.gitaly.repository(location, context)?;
    Ok(repository.create(head).await? || !repository.has_branches().await?)
}

/// One of the storages that take new repositories, by their weights; `default` where the instance gives no weights.
async fn storage(shell: &ShellState) -> Result<Option<String>, ApiError> {
    let weights = rows::list_storage_weights(shell.pushes.pool()).await?;
    let storages = &shell.settings.storages.0;
    let known: Vec<(String, f64)> = weights.into_iter().filter(|(name, _)| storages.contains_key(name)).collect();
    let chosen = known.choose_weighted(&mut rand::rng(), |(_, weight)| *weight).ok().map(|(name, _)| name.clone());
    let first = || storages.keys().find(|name| *name == "default").or(storages.keys().next());
    Ok(chosen.or_else(|| first().cloned()))
}

async fn message(shell: &ShellState, protocol: &AccessProtocol, path: &str) -> store::Result<String> {
    let remote = super::clone_url(shell, protocol, path).await?;
    let page = format!("{}/{path}", shell.settings.url);
    Ok(format!(
        "\nThe private project {path} was successfully created.\n\nTo configure the remote, run:\n  \
         git remote add origin {remote}\n\nTo view the project, visit:\n  {page}\n\n"
    ))
}
