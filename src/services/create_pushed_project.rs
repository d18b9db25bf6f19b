//! A push to a path without a project makes one, where the user may (allowed.md 2.5).

use std::fmt::Display;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::check_access::{AccessCheckError, AccessChecker, NO_GITALY};
use super::place_projects::{self, AuditedMaker, NewProjectRecord, NewRepository};
use super::{audit_log, choose_storage};
use crate::domain::access::{AccessActor, AccessFacts, Attempt, Denial};
use crate::domain::default_branch::USUAL;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::project_creation::{self, CreationRefusal, ParentNamespace};
use crate::domain::repository::{GlRepository, RepositoryLocation, hashed_path};
use crate::gitaly::{CallContext, GitalyResult};
use crate::store::projects::{FeaturesRow, ProjectRow};
use crate::store::{self, Error, namespaces, post_push_messages, project_creation as rows};

/// What making the project may take; gitlab-shell waits for longer.
const BUDGET: Duration = Duration::from_secs(20);
/// Projects that a server makes at once: each holds a connection to the database while Gitaly works, and other pushes
/// need some too.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What became of a push to a path without a project.
pub enum PushedProjectCreation {
    /// Nobody asked for a project, or they may not make it: the refusal stands.
    Refused,
    /// The push to the project that would be made is refused.
    Denied(Denial),
    /// The project is there now, by us or by somebody who was faster.
    Created,
    /// It cannot be made, for this reason.
    Impossible(String),
}

impl PushedProjectCreation {
    fn impossible(reason: impl Display) -> Self {
        Self::Impossible(format!("Could not create project: {reason}"))
    }
}

impl From<CreationRefusal> for PushedProjectCreation {
    fn from(refusal: CreationRefusal) -> Self {
        match refusal {
            CreationRefusal::NotPermitted => Self::Refused,
            CreationRefusal::Denied(denial) => Self::Denied(denial),
            CreationRefusal::BadName(error) => Self::impossible(format!("Path {error}")),
        }
    }
}

/// Makes the project that the attempt pushes to, where that is what it asks for and it would be let in. What is decided
/// is decided before the first effect, one push to a namespace after the other; then its repository comes first, under
/// an id that no project gets again, and its rows second, so that no row is locked while Gitaly works, and whoever
/// fails or dies on the way leaves no project.
pub(super) async fn create(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &Attempt,
    correlation_id: &str,
) -> Result<PushedProjectCreation, AccessCheckError> {
    let Some((namespace, name)) = project_creation::wanted_path(facts, attempt) else {
        return Ok(PushedProjectCreation::Refused);
    };
    let AccessActor::User(user) = facts.actor() else { return Ok(PushedProjectCreation::Refused) };
    let today = facts.now.date_naive();
    // Whoever may not is told so without waiting for others.
    let found = rows::find_parent(access.db.pool(), namespace, user.id, today).await?;
    let parent = match permit(facts, attempt, found, name) {
        Ok(parent) => parent,
        Err(refusal) => return Ok(refusal.into()),
    };
    let Some(storage) = choose_storage::choose(&access.db, &access.storages).await? else {
        let reason = "No storage takes new repositories. Please contact your administrator.";
        return Ok(PushedProjectCreation::impossible(reason));
    };

    let turn = tokio::time::timeout(BUDGET, AT_ONCE.acquire()).await;
    let _turn = turn.map_err(|_| AccessCheckError::TooManyCreations)?;
    let mut transaction = access.db.begin().await?;
    rows::lock_creation(&mut *transaction, parent.id).await?;
    let found = rows::find_parent(&mut *transaction, namespace, user.id, today).await?;
    let parent = match permit(facts, attempt, found, name) {
        Ok(parent) => parent,
        Err(refusal) => return Ok(refusal.into()),
    };
    // Somebody else has pushed to the same path just now.
    let path = format!("{}/{name}", parent.full_path);
    if namespaces::is_path_taken(&mut *transaction, &path).await? {
        return Ok(PushedProjectCreation::Created);
    }
    let id = rows::reserve_id(&mut *transaction).await?;
    match create_repository(access, &parent, name, id, &storage, correlation_id).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::error!(project.id = id.0, storage, "a new project's repository is there already, with branches");
            let reason = "Its repository belongs to somebody. Please contact your administrator.";
            return Ok(PushedProjectCreation::impossible(reason));
        }
        Err(error) => {
            tracing::warn!(%error, storage, "a push could not make a repository");
            return Ok(PushedProjectCreation::impossible(NO_GITALY));
        }
    }
    let head = parent.default_branch.clone().unwrap_or_else(|| USUAL.to_owned());
    let project = new_project(id, &parent, name, &storage, user.id, NewRepository::Made(head));
    let maker = AuditedMaker::Pushing(user.id, &user.username);
    match place_projects::create(&mut transaction, project, &maker, facts.now).await {
        Ok((_, event)) => {
            transaction.commit().await?;
            audit_log::log(&event);
        }
        // Somebody else has taken the path just now.
        Err(Error::Duplicate(_)) => return Ok(PushedProjectCreation::Created),
        Err(error) => return Err(error.into()),
    }

    tracing::info!(project.id = id.0, project.path = path, user.id = user.id.0, "a push made a project");
    keep_created_message(access, facts, attempt, user.id, id, &path).await;
    Ok(PushedProjectCreation::Created)
}

/// What would become of the attempt, as far as the rules say.
pub(super) async fn would_create(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &Attempt,
) -> store::Result<PushedProjectCreation> {
    let Some((namespace, name)) = project_creation::wanted_path(facts, attempt) else {
        return Ok(PushedProjectCreation::Refused);
    };
    let AccessActor::User(user) = facts.actor() else { return Ok(PushedProjectCreation::Refused) };
    let found = rows::find_parent(access.lookups.pool(), namespace, user.id, facts.now.date_naive()).await?;
    Ok(match permit(facts, attempt, found, name) {
        Ok(_) => PushedProjectCreation::Created,
        Err(refusal) => refusal.into(),
    })
}

/// The namespace, where the project may be made in it.
fn permit(
    facts: &AccessFacts,
    attempt: &Attempt,
    parent: Option<ParentNamespace>,
    name: &str,
) -> Result<ParentNamespace, CreationRefusal> {
    let parent = parent.ok_or(CreationRefusal::NotPermitted)?;
    project_creation::decide(facts, attempt, &parent, name).map(|()| parent)
}

/// A private project of that name.
fn new_project(
    id: ProjectId,
    parent: &ParentNamespace,
    name: &str,
    storage: &str,
    creator: UserId,
    repository: NewRepository,
) -> NewProjectRecord {
    let row = ProjectRow {
        name: name.to_owned(),
        path: name.to_owned(),
        creator_id: Some(creator.0),
        ..ProjectRow::new(parent.id, storage, 0)
    };
    let (features, path) = (FeaturesRow::default(), format!("{}/{name}", parent.full_path));
    NewProjectRecord { id, row, features, repository, owner: parent.owner, path }
}

/// False where something lies there already: after the database was restored, its ids may have been others' before.
async fn create_repository(
    access: &AccessChecker,
    parent: &ParentNamespace,
    name: &str,
    id: ProjectId,
    storage: &str,
    correlation_id: &str,
) -> GitalyResult<bool> {
    let location = RepositoryLocation {
        storage: storage.to_owned(),
        relative_path: format!("{}.git", hashed_path("@hashed", id.0)),
        gl_repository: GlRepository::Project(id).to_string(),
        gl_project_path: format!("{}/{name}", parent.full_path),
    };
    let context = CallContext::new(correlation_id, Instant::now() + BUDGET);
    let head = parent.default_branch.as_deref().unwrap_or(USUAL);
    let repository = access.gitaly.repository(location, context)?;
    Ok(repository.create(head).await? || !repository.has_branches().await?)
}

/// Keeps the message that the project was created, for the user to read after the push. The project is there without
/// it.
async fn keep_created_message(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &Attempt,
    user: UserId,
    project: ProjectId,
    path: &str,
) {
    let repository = GlRepository::Project(project).to_string();
    let kept = async {
        let remote = access.clone_urls.find(&access.lookups, &attempt.protocol, path).await?;
        let page = format!("{}/{path}", access.clone_urls.url);
        let message = format!(
            "\nThe private project {path} was successfully created.\n\nTo configure the remote, run:\n  \
             git remote add origin {remote}\n\nTo view the project, visit:\n  {page}\n\n"
        );
        post_push_messages::upsert(access.db.pool(), user, &repository, "created", &message, facts.now).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "could not keep the message that a project was created");
    }
}
