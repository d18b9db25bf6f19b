//! An alert of an agent's cluster is kept, and later announced to the hooks that subscribe to alerts (kas.md 4.3).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::crypto::attr_encrypted::ColumnKey;
use crate::domain::alert::Alert;
use crate::domain::ids::{AlertId, ProjectId};
use crate::store::alerts::AlertRow;
use crate::store::pushed_projects::PushedProject;
use crate::store::{self, Db, alerts, jobs, pushed_projects, web_hooks};

/// Counts the same alert up that is not resolved yet, or keeps a new one; where somebody `subscribes`, with the job
/// that announces it. Of two new ones that are the same, one is kept.
pub async fn record(
    db: &Db,
    project: ProjectId,
    alert: &Alert,
    subscribes: bool,
    now: DateTime<Utc>,
) -> store::Result<()> {
    if alerts::count_up(db.pool(), project, &alert.fingerprint, now).await?.is_some() {
        return Ok(());
    }
    store::settled(db, || async {
        let mut transaction = db.begin().await?;
        let new = alerts::insert(&mut transaction, project, alert, now).await?;
        if let Some(id) = new.filter(|_| subscribes) {
            jobs::insert_announce_alert(&mut *transaction, id).await?;
        }
        transaction.commit().await
    })
    .await
}

/// Enqueues a delivery to each hook that subscribes to alerts, once. `body` makes what is delivered.
pub async fn announce(
    db: &Db,
    id: AlertId,
    key: &ColumnKey,
    now: DateTime<Utc>,
    body: impl FnOnce(&PushedProject, &AlertRow) -> String,
) -> store::Result<()> {
    let mut transaction = db.begin().await?;
    let Some(alert) = alerts::take_unannounced(&mut *transaction, id, now).await? else {
        // An earlier attempt did everything and could not say so any more, or the alert is gone.
        return Ok(());
    };
    let Some(project) = pushed_projects::find(&mut *transaction, alert.project).await? else { return Ok(()) };
    if !project.silent {
        let body = body(&project, &alert);
        let event = Uuid::new_v4();
        let hooks = web_hooks::list_listening(&mut *transaction, project.id, key).await?;
        for hook in hooks.iter().filter(|hook| hook.listening.alert_events) {
            let delivery = web_hooks::insert_delivery(&mut *transaction, hook.id, "alert_hooks", event, &body).await?;
            jobs::insert_deliver_webhook(&mut *transaction, delivery, &hook.receiver).await?;
        }
    }
    transaction.commit().await
}
