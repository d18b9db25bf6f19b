//! A push to a repository that has yet to be made: a wiki's, which its first push makes, and that of a project whose
//! storage gave no answer when the project was made.

use std::time::{Duration, Instant};

use crate::domain::access::{self, AccessFacts, Attempt, Decision, Denial, GitCommand, RepositoryKind};
use crate::domain::repository::GlRepository;
use crate::gitaly::{self, CallContext};
use crate::http::error::ApiError;
use crate::http::shell::ShellState;
use crate::store::{default_branches, projects, repositories};

/// What making the repository may take.
const BUDGET: Duration = Duration::from_secs(20);

/// What became of a repository that was missing.
pub enum Repository {
    /// The refusal stands.
    Missing,
    /// The attempt may go on with it.
    Made,
    /// Its Gitaly could not make it.
    Impossible,
}

/// Makes the repository that the attempt pushes to, where it would be allowed if the repository were there.
pub async fn make(
    shell: &ShellState,
    facts: &mut AccessFacts,
    attempt: &Attempt,
    correlation_id: &str,
) -> Result<Repository, ApiError> {
    let Some(container) = facts.container.as_mut().filter(|_| attempt.action == GitCommand::Push) else {
        return Ok(Repository::Missing);
    };
    let repository = container.repository;
    container.exists = true;
    let allowed = access::decide(facts, attempt) == Decision::Allow;
    let became = if allowed { create(shell, facts, repository, correlation_id).await? } else { Repository::Missing };
    if let Some(container) = facts.container.as_mut() {
        container.exists = matches!(became, Repository::Made);
    }
    Ok(became)
}

async fn create(
    shell: &ShellState,
    facts: &AccessFacts,
    repository: GlRepository,
    correlation_id: &str,
) -> Result<Repository, ApiError> {
    let db = shell.pushes.pool();
    let project = match repository {
        GlRepository::Project(project) | GlRepository::Wiki(project) => project,
        GlRepository::GroupWiki(_) | GlRepository::Design(_) | GlRepository::Snippet(_) => {
            return Ok(Repository::Missing);
        }
    };
    let Some(places) = repositories::find(db, project).await? else { return Ok(Repository::Missing) };
    let wiki = matches!(repository, GlRepository::Wiki(_));
    let head = if wiki {
        default_branches::find_initial(db, project).await?
    } else {
        let mut connection = db.acquire().await?;
        match repositories::find_missing(&mut connection, project).await? {
            Some(head) => head,
            None => return Ok(Repository::Missing),
        }
    };
    let location = if wiki { places.wiki() } else { places.code() };
    let context = CallContext::new(correlation_id, Instant::now() + BUDGET);
    let asked = async { shell.gitaly.repository(location, context)?.create(&head).await };
    let new: bool = match asked.await {
        Ok(new) => new,
        Err(error) => {
            let error: gitaly::GitalyError = error;
            tracing::warn!(%error, gl_repository = %repository, "a push could not make a repository");
            return Ok(Repository::Impossible);
        }
    };
    if wiki {
        projects::insert_wiki_repository(db, project).await?;
    } else {
        let mut transaction = shell.pushes.begin().await?;
        let head = new.then_some(head.as_str());
        repositories::upsert(&mut transaction, project, &places.storage, head, facts.now).await?;
        transaction.commit().await?;
    }
    tracing::info!(gl_repository = %repository, "a push made a repository");
    Ok(Repository::Made)
}

/// Whether the attempt was refused for want of a repository that a push may make.
pub fn is_missing(decision: &Decision) -> bool {
    matches!(decision, Decision::Deny(Denial::NoRepository(RepositoryKind::Project | RepositoryKind::Wiki)))
}
