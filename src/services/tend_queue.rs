//! Operators look after the queue: jobs are tried again or dropped, and web hooks enabled. Who does it on the command line
//! is nobody that we know, and only what administrators do leaves an audit event.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::admin_sessions::Administrator;
use super::audit_log;
use crate::domain::audit::{AuditEntity, AuditEvent, EventName};
use crate::domain::ids::WebHookId;
use crate::store::{self, Db, audit_events, jobs, web_hooks};

/// Gives jobs that nobody works on all their attempts again, from now on. Answers with those that there were.
pub async fn retry(db: &Db, ids: &[i64], by: Option<&Administrator>, now: DateTime<Utc>) -> store::Result<Vec<i64>> {
    let mut transaction = db.begin().await?;
    let done = jobs::retry(&mut transaction, ids).await?;
    let events = events(by, EventName::JobRetried, "Job", &done, "To be tried again now, with all its attempts");
    write(&mut transaction, &events, now).await?;
    transaction.commit().await?;
    events.iter().for_each(audit_log::log);
    Ok(done)
}

/// Removes jobs that nobody works on. Answers with those that there were.
pub async fn drop_jobs(
    db: &Db,
    ids: &[i64],
    by: Option<&Administrator>,
    now: DateTime<Utc>,
) -> store::Result<Vec<i64>> {
    let mut transaction = db.begin().await?;
    let done = jobs::delete(&mut *transaction, ids).await?;
    let events = events(by, EventName::JobDropped, "Job", &done, "Dropped: what it was to do is not done");
    write(&mut transaction, &events, now).await?;
    transaction.commit().await?;
    events.iter().for_each(audit_log::log);
    Ok(done)
}

/// Enables web hooks that pause or are disabled, and delivers now what waits for them or has failed for good. Answers with
/// those that there were.
pub async fn enable_hooks(
    db: &Db,
    ids: &[i64],
    by: Option<&Administrator>,
    now: DateTime<Utc>,
) -> store::Result<Vec<i64>> {
    let mut transaction = db.begin().await?;
    // The hook first: what is delivered to it meanwhile is not put off any more.
    let done = web_hooks::enable(&mut *transaction, ids).await?;
    jobs::retry_deliveries(&mut transaction, &done).await?;
    let events = events(by, EventName::WebHookEnabled, "WebHook", &done, "Enabled, and what waits is delivered now");
    write(&mut transaction, &events, now).await?;
    transaction.commit().await?;
    events.iter().for_each(audit_log::log);
    Ok(done)
}

/// Delivers now what waits for a web hook or has failed for good: how many deliveries that are.
pub async fn redeliver(db: &Db, hook: i64, by: &Administrator, now: DateTime<Utc>) -> store::Result<usize> {
    let mut transaction = db.begin().await?;
    let number = jobs::retry_deliveries(&mut transaction, &[hook]).await?;
    let message = format!("{number} deliveries are sent now");
    let events = if number > 0 {
        events(Some(by), EventName::WebHookRedelivered, "WebHook", &[hook], &message)
    } else {
        Vec::new()
    };
    write(&mut transaction, &events, now).await?;
    transaction.commit().await?;
    events.iter().for_each(audit_log::log);
    Ok(number)
}

/// Sends a web hook again what it was told before: whether that could be done. It cannot where what was sent is not kept
/// any more, or still waits to be delivered.
pub async fn resend(db: &Db, hook: WebHookId, log: i64, by: &Administrator, now: DateTime<Utc>) -> store::Result<bool> {
    let mut transaction = db.begin().await?;
    let Some(delivery) = web_hooks::insert_delivery_again(&mut *transaction, hook, log).await? else {
        return Ok(false);
    };
    // A lane of its own: what is sent again by hand does not wait behind what waits.
    jobs::insert_deliver_webhook(&mut *transaction, delivery, &format!("again {hook}")).await?;
    let message = format!("Delivery {delivery} is sent again");
    let events = events(Some(by), EventName::WebHookRedelivered, "WebHook", &[hook.0], &message);
    write(&mut transaction, &events, now).await?;
    transaction.commit().await?;
    events.iter().for_each(audit_log::log);
    Ok(true)
}

fn events(
    by: Option<&Administrator>,
    name: EventName,
    kind: &'static str,
    ids: &[i64],
    message: &str,
) -> Vec<AuditEvent> {
    let event = |by: &Administrator, id: i64| by.event(name, AuditEntity::Instance, message).with_target(kind, id, "");
    by.map(|by| ids.iter().map(|id| event(by, *id)).collect()).unwrap_or_default()
}

async fn write(conn: &mut PgConnection, events: &[AuditEvent], now: DateTime<Utc>) -> store::Result<()> {
    for event in events {
        audit_events::insert(&mut *conn, event, now).await?;
    }
    Ok(())
}
