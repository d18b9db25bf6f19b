//! May the attempt go on, once its facts are loaded? What a push may make on the way is made: a project, or a
//! repository that is missing.

use std::sync::Arc;
use std::time::Duration;

use super::check_push::{self, PreReceiveHook, PushCheckError, PushVerdict};
use super::create_pushed_project::{self, PushedProjectCreation};
use super::find_clone_url::CloneUrls;
use super::make_repository::{self, MakeRepositoryError};
use crate::domain::access::refs::RefUpdate;
use crate::domain::access::{
    self, AccessFacts, AccessSettings, Attempt, Decision, Denial, GitCommand, PushChanges, may_make_repository,
};
use crate::domain::push::BadLine;
use crate::domain::repository::GlRepository;
use crate::gitaly::{CheckSteps, GitalyClient, GitalyError};
use crate::store::{self, Db, access_facts, post_push_messages};

/// What is said where Gitaly is asked for something and does not answer.
pub const NO_GITALY: &str = "The git server, Gitaly, is not available at this time. Please contact your administrator.";

/// What attempts are checked with.
#[derive(Debug)]
pub struct AccessChecker {
    /// The database, for pushes: they have connections of their own, and wait for longer.
    pub db: Db,
    /// The database, for everything else.
    pub lookups: Db,
    /// What the rules of a push ask about its repository.
    pub gitaly: GitalyClient,
    /// The settings that are part of the facts.
    pub settings: Arc<AccessSettings>,
    /// The storages that the settings know, in order.
    pub storages: Vec<String>,
    /// What clone URLs begin with.
    pub clone_urls: CloneUrls,
    /// What the checks of a push may take in all; Gitaly waits for longer.
    pub push_check_timeout: Duration,
}

/// What becomes of an attempt.
pub enum AccessOutcome {
    /// It may go on. These are its facts as they are now.
    Allowed(Box<AccessFacts>),
    /// It may not.
    Denied(Box<DeniedAttempt>),
    /// What it needs cannot be made, for this reason.
    Impossible(String),
    /// Gitaly gave no answer about a push; nothing is let through unasked. The steps say what was asked, and for how
    /// long.
    Unanswered(GitalyError, CheckSteps),
}

/// An attempt that may not go on.
pub struct DeniedAttempt {
    /// Why.
    pub denial: Denial,
    /// The ref update that was refused, where the rules of refs refused one.
    pub update: Option<RefUpdate>,
    /// Its facts.
    pub facts: AccessFacts,
}

/// Why nothing can be said of an attempt.
#[derive(Debug, thiserror::Error)]
pub enum AccessCheckError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// So many projects are being made that this one did not get its turn.
    #[error("too many projects are being made")]
    TooManyCreations,
    /// A line of the push is none of git's.
    #[error("changes {0}")]
    BadLine(#[from] BadLine),
    /// The project is gone since its facts were loaded.
    #[error("the project is gone")]
    Gone,
}

/// Whether the attempt may go on.
pub async fn check(
    access: &AccessChecker,
    mut facts: AccessFacts,
    attempt: &Attempt,
    hook: &PreReceiveHook,
) -> Result<AccessOutcome, AccessCheckError> {
    if attempt.command == GitCommand::Push && facts.instance.read_only && !facts.settings.read_only {
        // It is not meant to be so: it passes, as after a failover.
        return Err(AccessCheckError::Store(store::read_only()));
    }
    let mut decision = access::decide(&facts, attempt);
    if decision == Decision::Deny(Denial::NoSuchProject) {
        match create_pushed_project::create(access, &facts, attempt, &hook.correlation_id).await? {
            PushedProjectCreation::Refused => {}
            PushedProjectCreation::Denied(denial) => decision = Decision::Deny(denial),
            PushedProjectCreation::Created => {
                facts = reload(access, attempt, &facts).await?;
                decision = access::decide(&facts, attempt);
            }
            PushedProjectCreation::Impossible(message) => return Ok(AccessOutcome::Impossible(message)),
        }
    }
    if may_make_repository(&facts, attempt, &decision) {
        match make_missing(access, &facts, hook).await {
            Ok(false) => {}
            Ok(true) => {
                facts = facts.with_repository();
                decision = Decision::Allow;
            }
            Err(MakeRepositoryError::Gitaly(_)) => return Ok(AccessOutcome::Impossible(NO_GITALY.to_owned())),
            Err(MakeRepositoryError::Store(error)) => return Err(error.into()),
        }
    }
    if let Decision::Deny(denial) = decision {
        return Ok(AccessOutcome::Denied(Box::new(DeniedAttempt { denial, update: None, facts })));
    }
    match &attempt.changes {
        PushChanges::Lines(lines) => {
            let updates = RefUpdate::list(lines)?;
            check_updates(access, facts, attempt, &updates, hook).await
        }
        PushChanges::Any | PushChanges::None => {
            keep_moved_message(access, &facts, attempt).await;
            Ok(AccessOutcome::Allowed(Box::new(facts)))
        }
    }
}

async fn check_updates(
    access: &AccessChecker,
    facts: AccessFacts,
    attempt: &Attempt,
    updates: &[RefUpdate],
    hook: &PreReceiveHook,
) -> Result<AccessOutcome, AccessCheckError> {
    let mut steps = CheckSteps::default();
    match check_push::decide(access, &facts, attempt, updates, hook, &mut steps).await {
        Ok(PushVerdict { decision: Decision::Allow, .. }) => Ok(AccessOutcome::Allowed(Box::new(facts))),
        Ok(PushVerdict { decision: Decision::Deny(denial), refused }) => {
            Ok(AccessOutcome::Denied(Box::new(DeniedAttempt { denial, update: refused, facts })))
        }
        Err(PushCheckError::Store(error)) => Err(error.into()),
        Err(PushCheckError::Gitaly(error)) => Ok(AccessOutcome::Unanswered(error, steps)),
        Err(PushCheckError::Gone) => Err(AccessCheckError::Gone),
    }
}

/// The facts after a project was made. This is rare, so it is worth no place in a batch.
async fn reload(access: &AccessChecker, attempt: &Attempt, before: &AccessFacts) -> store::Result<AccessFacts> {
    store::settled(&access.db, || async {
        let mut connection = access.db.acquire().await?;
        let facts = access_facts::find(&mut connection, attempt.subject(), before.now, &access.settings).await?;
        Ok(AccessFacts { abilities: before.abilities, ..facts })
    })
    .await
}

/// Makes the repository, and false where it is none that is to be made.
async fn make_missing(
    access: &AccessChecker,
    facts: &AccessFacts,
    hook: &PreReceiveHook,
) -> Result<bool, MakeRepositoryError> {
    let Some(container) = &facts.container else { return Ok(false) };
    let Some(missing) = make_repository::find_missing(&access.db, container.repository).await? else {
        return Ok(false);
    };
    let made = make_repository::make(&access.db, &access.gitaly, &missing, &hook.correlation_id, facts.now).await;
    if let Err(MakeRepositoryError::Gitaly(error)) = &made {
        tracing::warn!(%error, gl_repository = %container.repository, "a push could not make a repository");
    }
    made?;
    tracing::info!(gl_repository = %container.repository, "a push made a repository");
    Ok(true)
}

/// Keeps the message that the repository has moved, for the user to read after a push. It is a hint: the access itself
/// is decided.
async fn keep_moved_message(access: &AccessChecker, facts: &AccessFacts, attempt: &Attempt) {
    let (Some(user), Some(container), Some(location)) = (&facts.user, &facts.container, facts.location()) else {
        return;
    };
    let Some(old) = container.moved_from.as_deref() else { return };
    let kind = if matches!(container.repository, GlRepository::Wiki(_)) { "Wiki" } else { "Project" };
    let new = &location.gl_project_path;
    let kept = async {
        let url = access.clone_urls.find(&access.lookups, &attempt.protocol, new).await?;
        let message = format!(
            "{kind} '{old}' was moved to '{new}'.\n\nPlease update your Git remote:\n\n  git remote set-url origin {url}\n"
        );
        let db = access.db.repeatable();
        post_push_messages::upsert(&db, user.id, &location.gl_repository, "moved", &message, facts.now).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(%error, "could not keep the message that a repository has moved");
    }
}
