//! Once a project is gone: its repositories are removed from their storages.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{JobFailure, attempt};
use crate::services::remove_repository::{RemoveRepositoryError, remove};
use crate::store::jobs;

/// The job of one repository.
#[derive(Debug, Serialize, Deserialize)]
pub struct RemoveRepository {
    repository: i64,
}

impl TaskHandler for RemoveRepository {
    const IDENTIFIER: &'static str = jobs::REMOVE_REPOSITORY;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move {
            Ok(remove(&state.pool, state.repositories.gitaly(), self.repository).await?)
        })
        .await
    }
}

impl From<RemoveRepositoryError> for JobFailure {
    fn from(error: RemoveRepositoryError) -> Self {
        match error {
            RemoveRepositoryError::Gitaly(error) => error.into(),
            RemoveRepositoryError::Store(error) => error.into(),
        }
    }
}
