//! A repository whose project is gone leaves its storage.

use std::time::{Duration, Instant};

use crate::gitaly::{CallContext, GitalyClient, GitalyError, GitalyResult, RepositoryClient};
use crate::store::{self, Db, removed_repositories};

/// What removing a repository may take.
const BUDGET: Duration = Duration::from_mins(1);

/// Why a repository was not removed.
#[derive(Debug, thiserror::Error)]
pub enum RemoveRepositoryError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Its Gitaly did not remove it.
    #[error(transparent)]
    Gitaly(#[from] GitalyError),
}

/// Removes the repository and then its row: whoever dies between the two finds it removed the next time. One that
/// belongs to a project after all stays.
pub async fn remove(db: &Db, gitaly: &GitalyClient, id: i64) -> Result<(), RemoveRepositoryError> {
    let Some(removed) = removed_repositories::find(db.pool(), id).await? else { return Ok(()) };
    if !removed.owned {
        let context = CallContext::new(format!("remove_repository {id}"), Instant::now() + BUDGET);
        let repository = gitaly.repository(removed.location.clone(), context)?;
        let (storage, path) = (&removed.location.storage, &removed.location.relative_path);
        if removed.only_empty && has_branches(&repository).await? {
            tracing::error!(storage, path, "a repository without a project has branches, and stays");
        } else {
            repository.remove().await?;
            tracing::info!(storage, path, "repository removed");
        }
    }
    Ok(removed_repositories::delete(db.pool(), id).await?)
}

/// What is not there has none.
async fn has_branches(repository: &RepositoryClient) -> GitalyResult<bool> {
    match repository.has_branches().await {
        Err(GitalyError::NotFound(_)) => Ok(false),
        answer => answer,
    }
}
