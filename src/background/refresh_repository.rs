//! After a push, once Gitaly answers: what is known of the project's repositories is refreshed.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{JobFailure, attempt};
use crate::domain::ids::ProjectId;
use crate::services::refresh_repository::{RefreshRepositoryError, refresh};
use crate::store::jobs;

/// The job of one project's repositories.
#[derive(Debug, Serialize, Deserialize)]
pub struct RefreshRepository {
    project: i64,
}

impl TaskHandler for RefreshRepository {
    const IDENTIFIER: &'static str = jobs::REFRESH_REPOSITORY;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move {
            let gitaly = state.repositories.gitaly();
            Ok(refresh(&state.pool, gitaly, &state.clock, ProjectId(self.project)).await?)
        })
        .await
    }
}

impl From<RefreshRepositoryError> for JobFailure {
    fn from(error: RefreshRepositoryError) -> Self {
        Self::passing(error.to_string())
    }
}
