//! `POST /two_factor_recovery_codes`: ten new codes for the user behind a key, in place of those before.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::ShellState;
use super::actor::ActorRequest;
use super::replay::{CallTurn, RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::domain::audit::{Event, EventName};
use crate::domain::two_factor::{self, RECOVERY_CODES, recovery_code};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::store::{requesters, two_factor as store};

/// bcrypt's cost, Devise's own default. A code has 64 random bits, so the cost is no defence against guessing.
const COST: u32 = 10;

/// The codes, which nobody will see again (shell.md 2.6).
#[derive(Debug, Serialize)]
struct RecoveryCodesResponse {
    success: bool,
    recovery_codes: Vec<String>,
}

/// New codes, or why there are none; 200 in both cases.
pub async fn replace(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RepeatableRequest { request, key }: RepeatableRequest<ActorRequest>,
) -> Result<ShellAnswer, ApiError> {
    let now = shell.clock.now();
    if let Some(answer) = shell.replays.find(key, now).await? {
        return Ok(answer);
    }
    let requester = requesters::find(shell.db.pool(), request.requester()).await?;
    shell.last_used.note(LastUse::requester(&requester, now));
    let decision = two_factor::recoverer(&requester);
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(rand::random())).collect();
    // Hashed before the transaction begins, which would hold a connection meanwhile.
    let hashes = if decision.is_ok() { shell.hashing.hash(&codes).await? } else { Vec::new() };

    let mut once = match shell.replays.begin(key, now).await? {
        CallTurn::First(once) => once,
        CallTurn::Again(answer) => return Ok(answer),
    };
    match decision {
        Ok(account) => {
            store::update_backup_codes(once.connection(), account.id, &hashes).await?;
            let answer = ShellAnswer::of(&RecoveryCodesResponse { success: true, recovery_codes: codes })?;
            once.settle(answer, &Event::of(&requester, EventName::RecoveryCodesIssued, "")).await
        }
        Err(refusal) => {
            let event = Event::of(&requester, EventName::RecoveryCodesRefused, refusal.to_string());
            once.settle(ShellAnswer::refusal(refusal), &event).await
        }
    }
}

/// Hashes slowly, on threads beside those that answer requests, and on half of the processors at most: a burst of such
/// requests queues here while all others go on.
#[derive(Debug, Clone)]
pub struct CodeHasher(Arc<Semaphore>);

impl Default for CodeHasher {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((processors / 2).max(1))))
    }
}

impl CodeHasher {
    /// The bcrypt hashes of the texts.
    async fn hash(&self, texts: &[String]) -> Result<Vec<String>, ApiError> {
        let _turn = self.0.acquire().await.map_err(|closed| ApiError::Internal(closed.into()))?;
        let mut hashes = Vec::with_capacity(texts.len());
        // One by one: a client that goes away stops the work at the next.
        for text in texts {
            let text = text.clone();
            let hash = tokio::task::spawn_blocking(move || bcrypt::hash_with_salt(text, COST, rand::random()));
            let hash = hash.await.map_err(|panic| ApiError::Internal(panic.into()))?;
            let hash = hash.map_err(|error| ApiError::Internal(error.into()))?;
            // The version that Devise writes.
            hashes.push(hash.format_for_version(bcrypt::Version::TwoA));
        }
        Ok(hashes)
    }
}
