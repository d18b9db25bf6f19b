//! After a push: who was active when, the events of the feed, and the deliveries to web hooks.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use super::{JobState, attempt};
use crate::domain::ids::PushId;
use crate::services::process_push::{self, PushProcessor};
use crate::store::jobs;

/// The job of one push.
#[derive(Debug, Serialize, Deserialize)]
pub struct PostReceive {
    push: i64,
}

impl TaskHandler for PostReceive {
    const IDENTIFIER: &'static str = jobs::POST_RECEIVE;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        attempt::<Self, _>(context, |state| async move {
            Ok(process_push::process(processor(&state), PushId(self.push), state.clock.now()).await?)
        })
        .await
    }
}

fn processor(state: &JobState) -> PushProcessor<'_> {
    let JobState { pool, key, repositories, settings, .. } = state;
    PushProcessor { db: pool, key, repositories, urls: &settings.urls }
}
