//! Repositories that have yet to be made: that of a project whose storage gave no answer when the project was made, and
//! a wiki's, which its first push makes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::domain::ids::ProjectId;
use crate::domain::repository::{GlRepository, RepositoryLocation};
use crate::gitaly::{CallContext, GitalyClient, GitalyError};
use crate::store::{self, Db, default_branches, projects, repositories};

/// What making a repository may take.
const BUDGET: Duration = Duration::from_secs(20);
/// Repositories that one sweep makes at most.
const AT_ONCE: i64 = 1000;

/// A repository that is to be made.
#[derive(Debug, Clone)]
pub struct MissingRepository {
    project: ProjectId,
    wiki: bool,
    location: RepositoryLocation,
    head: String,
}

/// Why a repository was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeRepositoryError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Its Gitaly did not make it.
    #[error(transparent)]
    Gitaly(#[from] GitalyError),
}

/// The repository, where it is one that is to be made.
pub async fn find_missing(db: &Db, repository: GlRepository) -> store::Result<Option<MissingRepository>> {
    let (project, wiki) = match repository {
        GlRepository::Project(project) => (project, false),
        GlRepository::Wiki(project) => (project, true),
        GlRepository::GroupWiki(_) | GlRepository::Design(_) | GlRepository::Snippet(_) => return Ok(None),
    };
    let Some(places) = repositories::find(db.pool(), project).await? else { return Ok(None) };
    let head = if wiki {
        Some(default_branches::find_initial(db.pool(), project).await?)
    } else {
        let mut connection = db.acquire().await?;
        repositories::find_missing(&mut connection, project).await?
    };
    let location = if wiki { places.wiki() } else { places.code() };
    Ok(head.map(|head| MissingRepository { project, wiki, location, head }))
}

/// Makes the repository, and then notes that it is there: whoever dies between the two finds it made the next time.
pub async fn make(
    db: &Db,
    gitaly: &GitalyClient,
    missing: &MissingRepository,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> Result<(), MakeRepositoryError> {
    let context = CallContext::new(correlation_id, Instant::now() + BUDGET);
    let new = gitaly.repository(missing.location.clone(), context)?.create(&missing.head).await?;
    if missing.wiki {
        projects::insert_wiki_repository(db.pool(), missing.project).await?;
    } else {
        let mut transaction = db.begin().await?;
        let head = new.then_some(missing.head.as_str());
        repositories::upsert(&mut transaction, missing.project, &missing.location.storage, head, now).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Makes the repositories that could not be made with their projects. A storage that gives no answer is asked once.
pub async fn make_all_missing(db: &Db, gitaly: &GitalyClient, clock: &Clock) -> store::Result<()> {
    let mut silent = HashSet::new();
    for project in repositories::list_missing(db.pool(), AT_ONCE).await? {
        let Some(missing) = find_missing(db, GlRepository::Project(project)).await? else { continue };
        if silent.contains(&missing.location.storage) {
            continue;
        }
        match make(db, gitaly, &missing, "missing_repositories", clock.now()).await {
            Ok(()) => tracing::info!(project.id = project.0, "the repository that was missing is there"),
            Err(MakeRepositoryError::Gitaly(error)) => {
                tracing::warn!(%error, project.id = project.0, "a repository is still missing");
                silent.insert(missing.location.storage);
            }
            Err(MakeRepositoryError::Store(error)) => return Err(error),
        }
    }
    Ok(())
}
