//! After a push, once Gitaly answers: HEAD names a branch that is there, the default branch is known and protected, and
//! the room that the repositories take is measured.

use std::time::{Duration, Instant};

use super::settle_default_branch;
use crate::clock::Clock;
use crate::domain::default_branch::RepositoryHead;
use crate::domain::ids::ProjectId;
use crate::domain::repository::RepositoryLocation;
use crate::gitaly::{CallContext, GitalyClient, GitalyError, GitalyResult, RepositoryClient};
use crate::store::default_branches::{self, DefaultBranch};
use crate::store::repositories::ProjectRepositories;
use crate::store::{self, Db, jobs, project_statistics, repositories};

/// What the questions about one repository may take.
const BUDGET: Duration = Duration::from_secs(20);

/// Why a repository's facts could not be refreshed; it is worth another attempt.
#[derive(Debug, thiserror::Error)]
pub enum RefreshRepositoryError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Gitaly gave no answer.
    #[error(transparent)]
    Gitaly(#[from] GitalyError),
}

/// What Gitaly answered.
struct RepositoryFacts {
    head: RepositoryHead,
    repository: u64,
    wiki: Option<u64>,
}

/// Refreshes what is known of a project's repositories. What is written is what the repositories say, not what some
/// push said of them: pushes come in any order.
pub async fn refresh(
    db: &Db,
    gitaly: &GitalyClient,
    clock: &Clock,
    project: ProjectId,
) -> Result<(), RefreshRepositoryError> {
    let Some(places) = repositories::find(db.pool(), project).await? else { return Ok(()) };
    let settled = default_branches::find(db.pool(), project).await?.filter(|branch| branch.born);
    let asked_at = clock.now();
    let answered = match ask(gitaly, &places, settled.as_ref()).await {
        Ok(answered) => answered,
        Err(GitalyError::NotFound(status)) => {
            tracing::warn!(%status, project.id = project.0, "a repository that was pushed to is gone");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut transaction = db.begin().await?;
    if let Some(branch) = &answered.head.branch {
        // A first push in whose report Gitaly gave no answer has made it.
        let made = default_branches::take_unsettled(&mut *transaction, project).await?;
        settle_default_branch::settle(&mut transaction, project, branch, made, asked_at).await?;
    }
    let born = answered.head.is_born();
    if let Some(name) = answered.head.named {
        default_branches::upsert(&mut *transaction, project, &DefaultBranch { name, born }, asked_at).await?;
    }
    project_statistics::upsert(&mut *transaction, project, answered.repository, answered.wiki).await?;
    transaction.commit().await?;
    Ok(())
}

async fn ask(
    gitaly: &GitalyClient,
    places: &ProjectRepositories,
    settled: Option<&DefaultBranch>,
) -> GitalyResult<RepositoryFacts> {
    let code = open(gitaly, places.code())?;
    let head = point_head(&code, settled).await?;
    let repository = code.objects_size().await?;
    let wiki = if places.wiki { measured(&open(gitaly, places.wiki())?).await? } else { None };
    Ok(RepositoryFacts { head, repository, wiki })
}

/// What the wiki takes; nothing where its repository is gone.
async fn measured(wiki: &RepositoryClient) -> GitalyResult<Option<u64>> {
    let size = async {
        point_head(wiki, None).await?;
        wiki.objects_size().await
    };
    match size.await {
        Err(GitalyError::NotFound(_)) => Ok(None),
        size => size.map(Some),
    }
}

/// Lets a HEAD that names no branch name one, so that a clone checks something out: the default branch that the first
/// push has settled, or else the one that Gitaly takes in its place.
async fn point_head(repository: &RepositoryClient, settled: Option<&DefaultBranch>) -> GitalyResult<RepositoryHead> {
    let head = repository.head().await?;
    // What is not UTF-8 cannot be kept or told, and is left to whoever named it.
    let telling = |branch: &&str| !head.is_born() && !branch.contains(char::REPLACEMENT_CHARACTER);
    let Some(branch) = head.branch.as_deref().filter(telling) else { return Ok(head) };
    let target = match settled {
        Some(settled) if repository.ref_exists(format!("refs/heads/{}", settled.name).as_bytes()).await? => {
            settled.name.clone()
        }
        _ => branch.to_owned(),
    };
    repository.write_head(&target).await?;
    Ok(RepositoryHead { named: Some(target.clone()), branch: Some(target) })
}

fn open(gitaly: &GitalyClient, location: RepositoryLocation) -> GitalyResult<RepositoryClient> {
    gitaly.repository(location, CallContext::new(jobs::REFRESH_REPOSITORY, Instant::now() + BUDGET))
}
