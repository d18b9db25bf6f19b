//! What a receiver answered is kept, and what it says of the receiver: a hook that fails again and again pauses, and in
//! the end is disabled.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::web_hook::HookReadiness;
use crate::store::web_hooks::{self, HookDelivery, ReceiverAnswer, SentRequest};
use crate::store::{self, Db, jobs};

/// Writes the answer to the hook's log, and forgets the delivery where it was `taken`.
pub async fn record(
    db: &Db,
    id: Uuid,
    delivery: &HookDelivery,
    answer: &ReceiverAnswer,
    taken: bool,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let mut transaction = db.begin().await?;
    let sent = SentRequest { delivery: id, event: delivery.event, body: &delivery.body };
    web_hooks::insert_log(&mut transaction, delivery.hook, &delivery.trigger, Some(sent), answer).await?;
    if taken {
        web_hooks::delete_delivery(&mut *transaction, id).await?;
    }
    record_health(&mut transaction, delivery, answer, now).await?;
    transaction.commit().await
}

/// A receiver that sends us elsewhere is there, although nobody goes where it says.
async fn record_health(
    conn: &mut PgConnection,
    delivery: &HookDelivery,
    answer: &ReceiverAnswer,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let (hook, healthy) = (delivery.hook, matches!(answer.status, Some(200..=399)));
    if healthy && delivery.health == delivery.health.succeeded() {
        // Nearly all deliveries: there is nothing to forget.
        return Ok(());
    }
    let Some(before) = web_hooks::lock_health(&mut *conn, hook).await? else { return Ok(()) };
    let after = if healthy { before.succeeded() } else { before.failed(now) };
    if after == before {
        return Ok(());
    }
    web_hooks::update_health(&mut *conn, hook, after).await?;
    match after.readiness(now) {
        HookReadiness::Ready => {}
        HookReadiness::PausedUntil(until) => {
            tracing::warn!(hook.id = hook.0, failures = after.recent_failures, %until, "a web hook pauses");
            jobs::pause_deliveries(&mut *conn, hook, until).await?;
        }
        HookReadiness::Disabled => {
            tracing::warn!(hook.id = hook.0, failures = after.recent_failures, "a web hook is disabled");
        }
    }
    Ok(())
}
