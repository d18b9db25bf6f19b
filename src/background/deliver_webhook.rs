//! One delivery to one web hook: at least once, and the same idempotency key each time. A hook whose receiver fails again
//! and again pauses, and in the end is disabled, as GitLab has it; what waits for it meanwhile is delivered afterwards.

use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::outbound::Unsent;
use super::{Failure, JobState, attempt};
use crate::domain::web_hook::HookReadiness;
use crate::store::web_hooks::{self, Answer, Delivery};
use crate::store::{self, jobs};

/// The job of one delivery.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliverWebhook {
    delivery: Uuid,
}

impl TaskHandler for DeliverWebhook {
    const IDENTIFIER: &'static str = jobs::DELIVER_WEBHOOK;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move { deliver(&state, self.delivery).await }).await
    }
}

async fn deliver(state: &JobState, id: Uuid) -> Result<(), Failure> {
    let Some(delivery) = web_hooks::find_delivery(&state.pool, id, &state.key).await? else {
        // It is delivered, or its hook is gone.
        return Ok(());
    };
    if delivery.silent {
        return Err(Failure::lasting("the instance is in silent mode"));
    }
    match delivery.health.readiness(state.clock.now()) {
        HookReadiness::Ready => {}
        HookReadiness::PausedUntil(until) => return Err(Failure::early(format!("the hook pauses until {until:.0}"))),
        HookReadiness::Disabled => return Err(Failure::lasting(disabled(&delivery))),
    }
    let posted = state.outbound.post(&id.to_string(), &delivery, &state.settings).await;
    let verdict = judge(&posted);
    let answer = posted.unwrap_or_else(|unsent| Answer {
        status: None,
        body: String::new(),
        error: Some(unsent.to_string()),
        duration: Duration::ZERO,
    });
    note(state, id, &delivery, &answer, verdict.is_ok()).await?;
    verdict
}

/// Taken, to be tried again, or never to be taken.
fn judge(posted: &Result<Answer, Unsent>) -> Result<(), Failure> {
    match posted {
        Ok(Answer { status: Some(200..=299), .. }) => Ok(()),
        Ok(Answer { status: Some(status @ (408 | 425 | 429 | 500..)), .. }) => {
            Err(Failure::passing(format!("the receiver answered {status}")))
        }
        Ok(Answer { status: Some(status @ 300..=399), .. }) => {
            Err(Failure::lasting(format!("the receiver answered {status}, and redirects are not followed")))
        }
        Ok(Answer { status: Some(status), .. }) => Err(Failure::lasting(format!("the receiver answered {status}"))),
        Ok(Answer { status: None, .. }) => Err(Failure::passing("no answer")),
        Err(Unsent::Refused(reason)) => Err(Failure::lasting(reason.clone())),
        Err(Unsent::Unreachable(reason)) => Err(Failure::passing(reason.clone())),
    }
}

fn disabled(delivery: &Delivery) -> String {
    let Delivery { hook, health, .. } = delivery;
    let failures = health.recent_failures;
    format!("hook {hook} is disabled after {failures} failures in a row; `gatehouse jobs enable {hook}` enables it")
}

async fn note(state: &JobState, id: Uuid, delivery: &Delivery, answer: &Answer, taken: bool) -> store::Result<()> {
    let mut transaction = state.pool.begin().await?;
    web_hooks::insert_log(&mut transaction, delivery.hook, &delivery.trigger, answer).await?;
    if taken {
        web_hooks::delete_delivery(&mut *transaction, id).await?;
    }
    note_health(state, &mut transaction, delivery, answer).await?;
    transaction.commit().await
}

/// What the answer says of the receiver. A receiver that sends us elsewhere is there, although nobody goes where it says.
async fn note_health(
    state: &JobState,
    db: &mut PgConnection,
    delivery: &Delivery,
    answer: &Answer,
) -> store::Result<()> {
    let (hook, healthy) = (delivery.hook, matches!(answer.status, Some(200..=399)));
    if healthy && delivery.health == delivery.health.succeeded() {
        // Nearly all deliveries: there is nothing to forget.
        return Ok(());
    }
    let Some(before) = web_hooks::lock_health(&mut *db, hook).await? else { return Ok(()) };
    let now = state.clock.now();
    let after = if healthy { before.succeeded() } else { before.failed(now) };
    if after == before {
        return Ok(());
    }
    web_hooks::update_health(&mut *db, hook, after).await?;
    match after.readiness(now) {
        HookReadiness::Ready => {}
        HookReadiness::PausedUntil(until) => {
            tracing::warn!(hook.id = hook.0, failures = after.recent_failures, %until, "a web hook pauses");
            jobs::pause_deliveries(&mut *db, hook, until).await?;
        }
        HookReadiness::Disabled => {
            tracing::warn!(hook.id = hook.0, failures = after.recent_failures, "a web hook is disabled");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Fate;
    use super::*;

    #[test]
    fn answers_are_taken_tried_again_or_final() {
        let word = |posted: Result<u16, Unsent>| {
            let answer =
                |status| Answer { status: Some(status), body: String::new(), error: None, duration: Duration::ZERO };
            match judge(&posted.map(answer)) {
                Ok(()) => "taken",
                Err(Failure { fate: Fate::Again | Fate::Later, .. }) => "again",
                Err(Failure { fate: Fate::Never, .. }) => "final",
            }
        };
        for (status, expected) in [
            (200, "taken"),
            (204, "taken"),
            (301, "final"),
            (400, "final"),
            (404, "final"),
            (410, "final"),
            (408, "again"),
            (429, "again"),
            (500, "again"),
            (503, "again"),
        ] {
            assert_eq!(word(Ok(status)), expected, "{status}");
        }
        assert_eq!(word(Err(Unsent::Refused(String::new()))), "final");
        assert_eq!(word(Err(Unsent::Unreachable(String::new()))), "again");
    }
}
