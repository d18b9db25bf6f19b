//! A push to a repository that has yet to be made: a wiki's, which its first push makes, and that of a project whose
//! storage gave no answer when the project was made.

use std::time::{Duration, Instant};

use crate::domain::access::{self, Action, Attempt, Decision, Denial, Facts, Holder};
use crate::domain::repository::GlRepository;
use crate::gitaly::{self, Context};
use crate::http::error::ApiError;
use crate::http::shell::ShellState;
use crate::store::{default_branches, projects, repositories};

/// What making the repository may take.
const BUDGET: Duration = Duration::from_secs(20);

/// Makes the repository that the attempt pushes to, where it would be allowed if the repository were there. Says whether
/// the attempt may go on with it.
///
/// # Errors
/// 503 where the database or Gitaly does not answer.
pub async fn make(
    shell: &ShellState,
    facts: &mut Facts,
    attempt: &Attempt,
    correlation_id: &str,
) -> Result<bool, ApiError> {
    let Some(container) = facts.container.as_mut().filter(|_| attempt.action == Action::Push) else { return Ok(false) };
    let repository = container.repository;
    container.exists = true;
    let allowed = access::decide(facts, attempt) == Decision::Allow;
    let made = allowed && bring(shell, facts, repository, correlation_id).await?;
    if let Some(container) = facts.container.as_mut() {
        container.exists = made;
    }
    Ok(made)
}

async fn bring(
    shell: &ShellState,
    facts: &Facts,
    repository: GlRepository,
    correlation_id: &str,
) -> Result<bool, ApiError> {
    let db = shell.pushes.pool();
    let project = match repository {
        GlRepository::Project(project) | GlRepository::Wiki(project) => project,
        GlRepository::GroupWiki(_) | GlRepository::Design(_) | GlRepository::Snippet(_) => return Ok(false),
    };
    let Some(places) = repositories::find(db, project).await? else { return Ok(false) };
    let wiki = matches!(repository, GlRepository::Wiki(_));
    let head = if wiki {
        default_branches::find_initial(db, project).await?
    } else {
        let mut connection = db.acquire().await?;
        match repositories::find_missing(&mut connection, project).await? {
            Some(head) => head,
            None => return Ok(false),
        }
    };
    let unavailable = |error: gitaly::Error| ApiError::Unavailable(error.into());
    let location = if wiki { places.wiki() } else { places.code() };
    let context = Context::new(correlation_id, Instant::now() + BUDGET);
    let handle = shell.gitaly.repository(location, context).map_err(unavailable)?;
    let new = handle.create(&head).await.map_err(unavailable)?;
    if wiki {
        projects::insert_wiki_repository(db, project).await?;
    } else {
        let mut transaction = shell.pushes.begin().await?;
        let head = new.then_some(head.as_str());
        repositories::upsert(&mut transaction, project, &places.storage, head, facts.now).await?;
        transaction.commit().await?;
    }
    tracing::info!(gl_repository = %repository, "a push made a repository");
    Ok(true)
}

/// Whether the attempt was refused for want of a repository that a push may make.
pub fn is_missing(decision: &Decision) -> bool {
    matches!(decision, Decision::Deny(Denial::NoRepository(Holder::Project | Holder::Wiki)))
}
