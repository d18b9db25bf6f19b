//! After an identity provider changed who is in its groups: the memberships that this gives and ends in a linked group.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{Failure, JobState, attempt};
use crate::domain::ids::NamespaceId;
use crate::store::{jobs, scim_groups};

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

/// A transaction for some hundred users at a time. What another job has brought in line already is not found any more.
async fn sync(state: &JobState, group: NamespaceId) -> Result<(), Failure> {
    let mut users = 0;
    loop {
        let mut transaction = state.pool.begin().await?;
        let some = scim_groups::sync(&mut transaction, group, state.clock.now().date_naive()).await?;
        transaction.commit().await?;
        if some == 0 {
            break;
        }
        users += some;
    }
    tracing::info!(group = group.0, users, "memberships follow the identity provider");
    Ok(())
}
