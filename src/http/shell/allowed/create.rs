//! A push to a path without a project makes one, where the user may (allowed.md 2.5).

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use rand::seq::IndexedRandom;

use crate::domain::access::{Action, Actor, Attempt, Changes, Facts, Protocol, Target};
use crate::domain::default_branch;
use crate::domain::ids::ProjectId;
use crate::domain::project_creation::{self, Home, Maker, Refusal};
use crate::domain::repository::{GlRepository, Suffixed, hashed_path};
use crate::gitaly::{Context, Location};
use crate::http::error::ApiError;
use crate::http::shell::ShellState;
use crate::store::{Error, post_push_messages, project_creation as rows};

/// What making the project may take; gitlab-shell waits for longer.
const BUDGET: Duration = Duration::from_secs(20);

/// What became of the wish.
pub enum Creation {
    /// Nobody asked for a project, or they may not make it: the refusal stands.
    No,
    /// The project is there now, by us or by somebody who was faster.
    Done,
    /// It cannot be made, for this reason.
    Impossible(String),
}

impl Creation {
    /// The status of an impossible project.
    pub const STATUS: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
}

/// Makes the project that the attempt pushes to, where that is what it asks for. Its repository comes first and its rows
/// in one transaction after it, so that whoever fails or dies on the way leaves no project without a repository, and a
/// retry starts afresh.
///
/// # Errors
/// 503 where the database or Gitaly does not answer.
pub async fn create(
    shell: &ShellState,
    facts: &Facts,
    attempt: &Attempt,
    correlation_id: &str,
) -> Result<Creation, ApiError> {
    let Some((namespace, name)) = wished(facts, attempt) else { return Ok(Creation::No) };
    let Actor::User(user) = facts.actor() else { return Ok(Creation::No) };
    let today = facts.now.date_naive();
    let Some(home) = rows::find_home(shell.db.pool(), namespace, user.id, today).await? else {
        return Ok(Creation::No);
    };
    let maker = Maker { id: user.id, admin: user.admin, external: user.external };
    match project_creation::decide(&home, maker, name) {
        Ok(()) => {}
        Err(Refusal::NotPermitted) => return Ok(Creation::No),
        Err(Refusal::BadName(error)) => {
            return Ok(Creation::Impossible(format!("Could not create project: Path {error}")));
        }
    }
    let storage = storage(shell).await?;
    let id = rows::reserve_id(shell.db.pool()).await?;
    create_repository(shell, &home, name, id, &storage, correlation_id).await?;

    let mut transaction = shell.db.begin().await?;
    match rows::insert(&mut transaction, id, &home, name, &storage, user.id, today).await {
        Ok(()) => transaction.commit().await.map_err(Error::from)?,
        // Somebody else pushed to the same path just now; the repository that we made stays empty, and nobody's.
        Err(Error::Duplicate(_)) => return Ok(Creation::Done),
        Err(error) => return Err(error.into()),
    }
    let path = format!("{}/{name}", home.full_path);
    tracing::info!(project.id = id.0, project.path = path, user.id = user.id.0, "a push made a project");
    let message = message(shell, &attempt.protocol, &path);
    let repository = GlRepository::Project(id).to_string();
    let kept = post_push_messages::upsert(shell.db.pool(), user.id, &repository, "created", &message, facts.now).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "could not keep the message that a project was created");
    }
    Ok(Creation::Done)
}

/// The namespace and the name of the project that gitlab-shell's call before a push wishes for.
fn wished<'a>(facts: &Facts, attempt: &'a Attempt) -> Option<(&'a str, &'a str)> {
    let Target::Path(path) = &attempt.target else { return None };
    let absent = facts.container.is_none() && facts.project.is_none();
    let snippet = matches!(path.suffixed(), Some(Suffixed::Snippet(..)));
    let push = attempt.action == Action::Push && attempt.changes == Changes::Any;
    let (namespace, name) = path.in_namespace()?;
    let below_snippets = namespace.split('/').nth(1) == Some("snippets");
    (absent && push && !snippet && !below_snippets).then_some((namespace, name))
}

async fn create_repository(
    shell: &ShellState,
    home: &Home,
    name: &str,
    id: ProjectId,
    storage: &str,
    correlation_id: &str,
) -> Result<(), ApiError> {
    let location = Location {
        storage: storage.to_owned(),
        relative_path: format!("{}.git", hashed_path("@hashed", id.0)),
        gl_repository: GlRepository::Project(id).to_string(),
        gl_project_path: format!("{}/{name}", home.full_path),
    };
    let context = Context::new(correlation_id, Instant::now() + BUDGET);
    let unavailable = |error: crate::gitaly::Error| ApiError::Unavailable(error.into());
    let repository = shell.gitaly.repository(location, context).map_err(unavailable)?;
    let head = home.default_branch.as_deref().unwrap_or(default_branch::USUAL);
    repository.create(head).await.map(|_| ()).map_err(unavailable)
}

/// One of the storages that take new repositories, by their weights; `default` where the instance gives no weights.
async fn storage(shell: &ShellState) -> Result<String, ApiError> {
    let weights = rows::list_storage_weights(shell.db.pool()).await?;
    let known: Vec<(String, f64)> =
        weights.into_iter().filter(|(name, _)| shell.settings.storages.0.contains_key(name)).collect();
    let chosen = known.choose_weighted(&mut rand::rng(), |(_, weight)| *weight).ok().map(|(name, _)| name.clone());
    let first =
        || shell.settings.storages.0.keys().find(|name| *name == "default").or(shell.settings.storages.0.keys().next());
    chosen.or_else(|| first().cloned()).ok_or_else(|| ApiError::Unavailable("no storage is in the settings".into()))
}

fn message(shell: &ShellState, protocol: &Protocol, path: &str) -> String {
    let remote = super::clone_url(&shell.settings, protocol, path);
    let page = format!("{}/{path}", shell.settings.url);
    format!(
        "\nThe private project {path} was successfully created.\n\nTo configure the remote, run:\n  \
         git remote add origin {remote}\n\nTo view the project, visit:\n  {page}\n\n"
    )
}
