//! The second call of a push: the rules of ref updates over what the project says and what Gitaly answers.

use std::collections::BTreeMap;
use std::time::Instant;

use uuid::Uuid;

use super::check_access::AccessChecker;
use crate::domain::access::push::{self, PushAnswers, PushFacts, PushQuestions, PushedRepository};
use crate::domain::access::refs::{ObjectId, RefUpdate};
use crate::domain::access::{AccessFacts, Attempt, Decision};
use crate::domain::ids::ProjectId;
use crate::domain::repository::GlRepository;
use crate::gitaly::{CallContext, CheckSteps, GitalyError, ObjectQuarantine, RepositoryClient};
use crate::store::{self, push_facts};

/// Refs that a message about lost time names at most.
const NAMED: usize = 20;

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

/// Why nothing can be said of a push.
#[derive(Debug, thiserror::Error)]
pub(super) enum PushCheckError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Gitaly gave no answer.
    #[error(transparent)]
    Gitaly(#[from] GitalyError),
    /// The project is gone since its facts were loaded.
    #[error("the project is gone")]
    Gone,
}

/// What becomes of ref updates.
#[derive(Debug)]
pub(super) struct PushVerdict {
    /// Whether they may go in.
    pub(super) decision: Decision,
    /// The update that was refused, where the rules of refs refused one.
    pub(super) refused: Option<RefUpdate>,
}

/// Whether these ref updates may go in.
pub(super) async fn decide(
    access: &AccessChecker,
    facts: &AccessFacts,
    attempt: &Attempt,
    updates: &[RefUpdate],
    hook: &PreReceiveHook,
    steps: &mut CheckSteps,
) -> Result<PushVerdict, PushCheckError> {
    for update in updates.iter().take(NAMED) {
        steps.note(format!("Running checks for ref: {}", update.name.short()));
    }
    let repository = find_repository(access, facts, updates).await?;
    let questions = push::questions(facts, &repository, updates);
    let answers = if questions.is_empty() {
        PushAnswers::default()
    } else {
        ask(access, facts, &questions, updates, hook, steps).await?
    };
    let decision = push::decide(facts, attempt, &repository, updates, &answers);
    let refused = match decision {
        Decision::Allow => None,
        Decision::Deny(_) => push::refused_update(facts, attempt, &repository, updates, &answers).cloned(),
    };
    Ok(PushVerdict { decision, refused })
}

/// What is pushed to, with what the project says about its refs.
pub(super) async fn find_repository(
    access: &AccessChecker,
    facts: &AccessFacts,
    updates: &[RefUpdate],
) -> Result<PushedRepository, PushCheckError> {
    Ok(match facts.container.as_ref().map(|container| container.repository) {
        Some(GlRepository::Project(project)) => {
            PushedRepository::Project(Box::new(find_push_facts(access, facts, project, updates).await?))
        }
        Some(GlRepository::Snippet(_)) => PushedRepository::Snippet,
        Some(GlRepository::Wiki(_) | GlRepository::GroupWiki(_) | GlRepository::Design(_)) | None => {
            PushedRepository::Other
        }
    })
}

/// What the project says about its refs, and those of merge requests' targets where they open a branch here.
async fn find_push_facts(
    access: &AccessChecker,
    facts: &AccessFacts,
    project: ProjectId,
    updates: &[RefUpdate],
) -> Result<PushFacts, PushCheckError> {
    let user = facts.user.as_ref().map(|user| user.id);
    let (db, today) = (access.db.pool(), facts.now.date_naive());
    let new_ids: Vec<&str> = updates.iter().filter_map(|update| update.new.as_ref()).map(ObjectId::as_str).collect();
    let mut push = push_facts::find(db, project, user, today, &new_ids).await?.ok_or(PushCheckError::Gone)?;
    let mut targets = BTreeMap::new();
    for target in push::collaboration_targets(facts, updates) {
        if let Some(found) = push_facts::find(db, target, user, today, &[]).await? {
            targets.insert(target, found);
        }
    }
    push.collaborations = push::collaborations(facts, &targets);
    Ok(push)
}

/// Gitaly's answers, and what the database knows of them.
pub(super) async fn ask(
    access: &AccessChecker,
    facts: &AccessFacts,
    questions: &PushQuestions,
    updates: &[RefUpdate],
    hook: &PreReceiveHook,
    steps: &mut CheckSteps,
) -> Result<PushAnswers, PushCheckError> {
    let db = access.db.pool();
    let new_ids: Vec<ObjectId> = updates.iter().filter_map(|update| update.new.clone()).collect();
    let (mut answers, oids) = open(access, facts, hook)?.answer(questions, &new_ids, steps).await?;
    if let (false, Some(project)) = (oids.is_empty(), &facts.project) {
        answers.content.lfs_objects_missing = push_facts::misses_lfs_objects(db, project.id, &oids).await?;
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
        let known = push_facts::list_addresses_of_users(db, &addresses).await?;
        answers.content.users = known.into_iter().collect();
    }
    Ok(answers)
}

fn open(
    access: &AccessChecker,
    facts: &AccessFacts,
    hook: &PreReceiveHook,
) -> Result<RepositoryClient, PushCheckError> {
    let location = facts.location().ok_or(PushCheckError::Gone)?;
    let context = CallContext {
        quarantine: hook.quarantine.clone(),
        transaction_path: hook.relative_path.clone(),
        correlation_id: hook.correlation_id.clone(),
        session: Uuid::new_v4(),
        deadline: Instant::now() + access.push_check_timeout,
    };
    Ok(access.gitaly.repository(location, context)?)
}
