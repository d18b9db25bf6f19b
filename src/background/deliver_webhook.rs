//! One delivery to one web hook: at least once, and the same idempotency key each time. A hook whose receiver fails
//! again and again pauses, and in the end is disabled, as GitLab has it; what waits for it meanwhile is delivered
//! afterwards.

use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobFailure, JobState, attempt};
use crate::domain::web_hook::HookReadiness;
use crate::services::outbound::UnsentReason;
use crate::services::record_delivery;
use crate::store::jobs;
use crate::store::web_hooks::{self, HookDelivery, ReceiverAnswer};
use crate::telemetry::trace::TraceSpan;

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

async fn deliver(state: &JobState, id: Uuid) -> Result<(), JobFailure> {
    let Some(delivery) = web_hooks::find_delivery(&state.pool, id, &state.key).await? else {
        // It is delivered, or its hook is gone.
        return Ok(());
    };
    if delivery.silent {
        return Err(JobFailure::lasting("the instance is in silent mode"));
    }
    match delivery.health.readiness(state.clock.now()) {
        HookReadiness::Ready => {}
        HookReadiness::PausedUntil(until) => {
            return Err(JobFailure::early(format!("the hook pauses until {until:.0}")));
        }
        HookReadiness::Disabled => return Err(JobFailure::lasting(disabled(&delivery))),
    }
    let posted = post(state, id, &delivery).await;
    let verdict = judge(&posted);
    let answer = posted.unwrap_or_else(|unsent| ReceiverAnswer {
        status: None,
        body: String::new(),
        error: Some(unsent.to_string()),
        duration: Duration::ZERO,
    });
    let taken = verdict.is_ok();
    record_delivery::record(&state.pool, id, &delivery, &answer, taken, state.clock.now()).await?;
    verdict
}

/// Posts it, traced and counted.
async fn post(state: &JobState, id: Uuid, delivery: &HookDelivery) -> Result<ReceiverAnswer, UnsentReason> {
    let (trace, id) = (TraceSpan::call(|| "POST".into()), id.to_string());
    let posted = trace.around(state.outbound.post(&id, delivery, &state.settings.urls.url)).await;
    let outcome = match &posted {
        Ok(ReceiverAnswer { status: Some(200..=299), .. }) => "taken",
        Ok(ReceiverAnswer { status: Some(300..=399), .. }) => "redirected",
        Ok(ReceiverAnswer { status: Some(400..=499), .. }) => "refused",
        Ok(_) => "failed",
        Err(UnsentReason::Refused(_)) => "forbidden",
        Err(UnsentReason::Unreachable(_)) => "unreachable",
    };
    metrics::counter!("gatehouse_webhooks_total", "outcome" => outcome).increment(1);
    // Neither the URL nor its host: they may hold a secret.
    trace.set("http.request.method", || "POST");
    trace.set("gatehouse.web_hook", || delivery.hook.0);
    trace.set("gatehouse.outcome", || outcome);
    if let Ok(ReceiverAnswer { status: Some(status), .. }) = &posted {
        trace.set("http.response.status_code", || i64::from(*status));
    }
    if outcome != "taken" {
        trace.fail(|| outcome.to_owned());
    }
    posted
}

/// Taken, to be tried again, or never to be taken.
fn judge(posted: &Result<ReceiverAnswer, UnsentReason>) -> Result<(), JobFailure> {
    match posted {
        Ok(ReceiverAnswer { status: Some(200..=299), .. }) => Ok(()),
        Ok(ReceiverAnswer { status: Some(status @ (408 | 425 | 429 | 500..)), .. }) => {
            Err(JobFailure::passing(format!("the receiver answered {status}")))
        }
        Ok(ReceiverAnswer { status: Some(status @ 300..=399), .. }) => {
            Err(JobFailure::lasting(format!("the receiver answered {status}, and redirects are not followed")))
        }
        Ok(ReceiverAnswer { status: Some(status), .. }) => {
            Err(JobFailure::lasting(format!("the receiver answered {status}")))
        }
        Ok(ReceiverAnswer { status: None, .. }) => Err(JobFailure::passing("no answer")),
        Err(UnsentReason::Refused(reason)) => Err(JobFailure::lasting(reason.clone())),
        Err(UnsentReason::Unreachable(reason)) => Err(JobFailure::passing(reason.clone())),
    }
}

fn disabled(delivery: &HookDelivery) -> String {
    let HookDelivery { hook, health, .. } = delivery;
    let failures = health.recent_failures;
    format!("hook {hook} is disabled after {failures} failures in a row; `gatehouse jobs enable {hook}` enables it")
}

#[cfg(test)]
mod tests {
    use super::super::JobFate;
    use super::*;

    #[test]
    fn answers_are_taken_tried_again_or_final() {
        let word = |posted: Result<u16, UnsentReason>| {
            let answer = |status| ReceiverAnswer {
                status: Some(status),
                body: String::new(),
                error: None,
                duration: Duration::ZERO,
            };
            match judge(&posted.map(answer)) {
                Ok(()) => "taken",
                Err(JobFailure { fate: JobFate::Again | JobFate::Later, .. }) => "again",
                Err(JobFailure { fate: JobFate::Never, .. }) => "final",
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
        assert_eq!(word(Err(UnsentReason::Refused(String::new()))), "final");
        assert_eq!(word(Err(UnsentReason::Unreachable(String::new()))), "again");
    }
}
