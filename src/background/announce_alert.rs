//! After a new alert: the deliveries to the hooks that subscribe to alerts.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{JobFailure, JobState, attempt};
use crate::domain::ids::AlertId;
use crate::services::{hook_payload, record_alert};
use crate::store::alerts::AlertRow;
use crate::store::jobs;
use crate::store::pushed_projects::PushedProject;

/// The job of one alert.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnnounceAlert {
    alert: i64,
}

impl TaskHandler for AnnounceAlert {
    const IDENTIFIER: &'static str = jobs::ANNOUNCE_ALERT;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move { announce(&state, AlertId(self.alert)).await }).await
    }
}

async fn announce(state: &JobState, id: AlertId) -> Result<(), JobFailure> {
    let body = |project: &PushedProject, alert: &AlertRow| {
        hook_payload::alert(&state.settings.urls, project, alert).to_string()
    };
    Ok(record_alert::announce(&state.pool, id, &state.key, state.clock.now(), body).await?)
}
