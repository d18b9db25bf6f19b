//! After a new alert: the deliveries to the hooks that hear of alerts.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Failure, JobState, attempt, payload};
use crate::domain::ids::AlertId;
use crate::store::{alerts, jobs, pushed_projects, web_hooks};

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

async fn announce(state: &JobState, id: AlertId) -> Result<(), Failure> {
    let mut transaction = state.pool.begin().await?;
    let Some(alert) = alerts::take_unannounced(&mut *transaction, id, state.clock.now()).await? else {
        // An earlier attempt did everything and could not say so any more, or the alert is gone.
        return Ok(());
    };
    let Some(project) = pushed_projects::find(&mut *transaction, alert.project).await? else { return Ok(()) };
    if !project.silent {
        let body = payload::alert(&state.settings, &project, &alert).to_string();
        let event = Uuid::new_v4();
        let hooks = web_hooks::list_listening(&mut *transaction, project.id, &state.key).await?;
        for hook in hooks.iter().filter(|hook| hook.listening.alert_events) {
            let delivery = web_hooks::insert_delivery(&mut *transaction, hook.id, "alert_hooks", event, &body).await?;
            jobs::insert_deliver_webhook(&mut *transaction, delivery, &hook.receiver).await?;
        }
    }
    transaction.commit().await?;
    Ok(())
}
