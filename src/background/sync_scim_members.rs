//! After an identity provider changed who is in its groups: the memberships that this gives and ends in a linked group.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{JobFailure, JobState, attempt};
use crate::domain::ids::NamespaceId;
use crate::services::sync_scim_members::sync_scim_members;
use crate::store::jobs;

/// The job of one linked group.
#[derive(Debug, Serialize, Deserialize)]
pub struct SyncScimMembers {
    group: i64,
}

impl TaskHandler for SyncScimMembers {
    const IDENTIFIER: &'static str = jobs::SYNC_SCIM_MEMBERS;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move { sync(&state, NamespaceId(self.group)).await }).await
    }
}

async fn sync(state: &JobState, group: NamespaceId) -> Result<(), JobFailure> {
    let users = sync_scim_members(&state.pool, group, state.clock.now().date_naive()).await?;
    tracing::info!(group = group.0, users, "memberships follow the identity provider");
    Ok(())
}
