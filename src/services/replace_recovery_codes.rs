//! Ten new recovery codes for a user, in place of those before.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::guard_call::{CallKey, CallTurn, GuardError, GuardedAnswer, IdempotencyGuard};
use crate::domain::audit::{AuditEvent, EventName};
use crate::domain::requester::Requester;
use crate::domain::two_factor::{self, RECOVERY_CODES, TwoFactorRefusal, recovery_code};
use crate::store::two_factor::update_backup_codes;

/// bcrypt's cost, Devise's own default. A code has 64 random bits, so the cost is no defence against guessing.
const COST: u32 = 10;

/// Why there are neither codes nor a refusal.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryCodesError {
    /// The call cannot be guarded.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The codes cannot be hashed.
    #[error("recovery codes could not be hashed: {0}")]
    Hash(String),
}

/// New codes, or why there are none, once for all calls of this key; `render` says what is answered.
pub async fn replace(
    guard: &IdempotencyGuard,
    hashing: &CodeHasher,
    key: CallKey,
    requester: &Requester,
    now: DateTime<Utc>,
    render: impl FnOnce(Result<Vec<String>, TwoFactorRefusal>) -> SecretString,
) -> Result<GuardedAnswer, RecoveryCodesError> {
    let decision = two_factor::recoverer(requester);
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(rand::random())).collect();
    // Hashed before the transaction begins, which would hold a connection meanwhile.
    let hashes = if decision.is_ok() { hashing.hash(&codes).await? } else { Vec::new() };
    let mut call = match guard.begin(key, now).await? {
        CallTurn::First(call) => call,
        CallTurn::Again(answer) => return Ok(answer),
    };
    let (answer, event) = match decision {
        Ok(account) => {
            update_backup_codes(call.connection(), account.id, &hashes).await.map_err(GuardError::from)?;
            (render(Ok(codes)), AuditEvent::of(requester, EventName::RecoveryCodesIssued, ""))
        }
        Err(refusal) => {
            (render(Err(refusal)), AuditEvent::of(requester, EventName::RecoveryCodesRefused, refusal.to_string()))
        }
    };
    Ok(call.finish(answer, event).await?)
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
    async fn hash(&self, texts: &[String]) -> Result<Vec<String>, RecoveryCodesError> {
        let _turn = self.0.acquire().await.map_err(|closed| RecoveryCodesError::Hash(closed.to_string()))?;
        let mut hashes = Vec::with_capacity(texts.len());
        // One by one: a client that goes away stops the work at the next.
        for text in texts {
            let text = text.clone();
            let hash = tokio::task::spawn_blocking(move || bcrypt::hash_with_salt(text, COST, rand::random()));
            let hash = hash.await.map_err(|panic| RecoveryCodesError::Hash(panic.to_string()))?;
            let hash = hash.map_err(|error| RecoveryCodesError::Hash(error.to_string()))?;
            // The version that Devise writes.
            hashes.push(hash.format_for_version(bcrypt::Version::TwoA));
        }
        Ok(hashes)
    }
}
