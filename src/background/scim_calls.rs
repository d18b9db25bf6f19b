//! When an identity provider called last, and what it was answered: written behind the answers, never before them.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::store::scim_calls::{self, ScimCall};
use crate::store::{Db, Result};

/// Calls that wait at most; past this they are dropped, for the next one brings another.
const QUEUE: usize = 1024;

/// How long the calls of all providers are gathered: of each, only the last one is written.
const PAUSE: Duration = Duration::from_secs(2);

/// Where calls are left. Clones share the queue.
#[derive(Debug, Clone)]
pub struct ScimCallWriter(mpsc::Sender<ScimCall>);

impl ScimCallWriter {
    /// A queue, and the task that empties it; the task ends after the last call once all clones are gone.
    #[must_use]
    pub fn start(db: &Db) -> (Self, JoinHandle<()>) {
        let (sender, mut calls) = mpsc::channel::<ScimCall>(QUEUE);
        let db = db.clone();
        let writer = tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                let mut latest = HashMap::from([(call.scope, call)]);
                let gather = async {
                    while let Some(call) = calls.recv().await {
                        latest.insert(call.scope, call);
                    }
                };
                let _ = timeout(PAUSE, gather).await;
                if !db.is_read_only() {
                    let latest: Vec<ScimCall> = latest.into_values().collect();
                    report(&scim_calls::upsert(db.pool(), &latest).await);
                }
            }
        });
        (Self(sender), writer)
    }

    /// Leaves a call. Where too many wait already, it is dropped.
    pub fn note(&self, call: ScimCall) {
        let _ = self.0.try_send(call);
    }
}

fn report(written: &Result<()>) {
    match written {
        // The database's own troubles are in the log already.
        Err(error) if error.is_about_the_database() => tracing::debug!(%error, "could not note who called"),
        Err(error) => tracing::warn!(%error, "could not note who called"),
        Ok(()) => {}
    }
}
