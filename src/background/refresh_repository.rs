//! After a push, once Gitaly answers: HEAD names a branch that is there, the default branch is known and protected, and
//! the room that the repositories take is measured.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{Failure, JobState, attempt};
use crate::domain::default_branch::RepositoryHead;
use crate::domain::ids::ProjectId;
use crate::gitaly::{self, RepositoryClient};
use crate::store::default_branches::{self, DefaultBranch};
use crate::store::repositories::ProjectRepositories;
use crate::store::{jobs, project_statistics, repositories};

/// The job of one project's repositories.
#[derive(Debug, Serialize, Deserialize)]
pub struct RefreshRepository {
    project: i64,
}

impl TaskHandler for RefreshRepository {
    const IDENTIFIER: &'static str = jobs::REFRESH_REPOSITORY;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move { refresh(&state, ProjectId(self.project)).await }).await
    }
}

/// What Gitaly answered.
struct RepositoryFacts {
    head: RepositoryHead,
    repository: u64,
    wiki: Option<u64>,
}

/// What is written is what the repositories say, not what some push said of them: pushes come in any order.
async fn refresh(state: &JobState, project: ProjectId) -> Result<(), Failure> {
    let Some(places) = repositories::find(&state.pool, project).await? else { return Ok(()) };
    let settled = default_branches::find(&state.pool, project).await?.filter(|branch| branch.born);
    let asked_at = state.clock.now();
    let looked = match look(state, &places, settled.as_ref()).await {
        Ok(looked) => looked,
        Err(gitaly::GitalyError::NotFound(status)) => {
            tracing::warn!(%status, project.id = project.0, "a repository that was pushed to is gone");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut transaction = state.pool.begin().await?;
    if let Some(branch) = &looked.head.branch {
        // A first push in whose report Gitaly gave no answer has made it.
        let made = default_branches::take_unsettled(&mut *transaction, project).await?;
        default_branches::settle(&mut transaction, project, branch, made, asked_at).await?;
    }
    let born = looked.head.is_born();
    if let Some(name) = looked.head.named {
        default_branches::upsert(&mut *transaction, project, &DefaultBranch { name, born }, asked_at).await?;
    }
    project_statistics::upsert(&mut *transaction, project, looked.repository, looked.wiki).await?;
    transaction.commit().await?;
    Ok(())
}

async fn look(
    state: &JobState,
    places: &ProjectRepositories,
    settled: Option<&DefaultBranch>,
) -> gitaly::GitalyResult<RepositoryFacts> {
    let code = state.repositories.at(places.code(), jobs::REFRESH_REPOSITORY)?;
    let head = follow(&code, settled).await?;
    let repository = code.objects_size().await?;
    let wiki = if places.wiki {
        measured(&state.repositories.at(places.wiki(), jobs::REFRESH_REPOSITORY)?).await?
    } else {
        None
    };
    Ok(RepositoryFacts { head, repository, wiki })
}

/// What the wiki takes; nothing where its repository is gone.
async fn measured(wiki: &RepositoryClient) -> gitaly::GitalyResult<Option<u64>> {
    let size = async {
        follow(wiki, None).await?;
        wiki.objects_size().await
    };
    match size.await {
        Err(gitaly::GitalyError::NotFound(_)) => Ok(None),
        size => size.map(Some),
    }
}

/// Lets a HEAD that names no branch name one, so that a clone checks something out: the default branch that the first push
/// has settled, or else the one that Gitaly takes in its place.
async fn follow(
    repository: &RepositoryClient,
    settled: Option<&DefaultBranch>,
) -> gitaly::GitalyResult<RepositoryHead> {
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
