//! Calls that must not take effect twice. gitlab-shell sends a POST again when the answer got lost; the second one gets
//! the answer of the first (shell.md 1.5).
//!
//! The answer is kept by the transaction that has the effect, under a key that is unique. So there is no moment at
//! which the one is there without the other; of two calls at once one waits at the key until the other has ended; and a
//! server that dies takes the key with it. The answer is sealed, for it may be a credential.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgConnection;
use tokio::time::timeout;

use crate::crypto::seal::{Seal, SealedValue, UnsealError};
use crate::domain::audit::AuditEvent;
use crate::store::{self, Db, Transaction, audit_events, idempotent_responses};

/// How long an answer is kept.
const WINDOW: TimeDelta = TimeDelta::minutes(2);

/// What makes two calls the same. None where nothing does, for then a retry cannot be told from another call.
#[derive(Debug, Clone, Copy)]
pub struct CallKey(pub Option<[u8; 32]>);

/// Why a guarded call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The kept answer cannot be opened.
    #[error(transparent)]
    Sealed(#[from] UnsealError),
    /// The kept answer is gone while its key is still taken.
    #[error("an answer is gone before its time")]
    Gone,
}

/// Where answers are kept.
#[derive(Debug, Clone)]
pub struct IdempotencyGuard {
    db: Db,
    seal: Seal,
}

/// The answer of a guarded call.
#[derive(Debug)]
pub enum GuardedAnswer {
    /// The call took effect now. What happened is written down, and is to be logged.
    New(SecretString, Box<AuditEvent>),
    /// The call took effect before, and was answered so.
    Kept(SecretString),
}

/// Whether a call takes effect now.
pub enum CallTurn {
    /// It does: nobody has answered it.
    First(GuardedCall),
    /// It does not: this was answered.
    Again(GuardedAnswer),
}

/// A call that takes effect now: a transaction, and the key under which it keeps its answer.
pub struct GuardedCall {
    transaction: Transaction,
    key: Option<[u8; 32]>,
    seal: Seal,
    now: DateTime<Utc>,
}

impl IdempotencyGuard {
    /// Answers kept in a database, sealed.
    #[must_use]
    pub fn new(db: Db, seal: Seal) -> Self {
        Self { db, seal }
    }

    /// The answer that was given to this call, for services that would otherwise work hard before [`Self::begin`].
    pub async fn find(&self, key: CallKey, now: DateTime<Utc>) -> Result<Option<GuardedAnswer>, GuardError> {
        let CallKey(Some(key)) = key else { return Ok(None) };
        let kept = idempotent_responses::find(self.db.pool(), &key, now).await?;
        kept.map(|kept| open(&self.seal, &kept, &key)).transpose()
    }

    /// What comes of a call, which ends where the database falls silent in the middle: all of it has happened, or nothing,
    /// and the same call again is told.
    pub fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, GuardError>>,
    ) -> impl Future<Output = Result<T, GuardError>> {
        // On the heap: it is as large as all that it may wait for.
        let call = timeout(self.db.terms().whole(), Box::pin(call));
        async { call.await.unwrap_or_else(|_| Err(store::silence().into())) }
    }

    /// A transaction in which the call takes effect, or the answer that it got. Waits for a call that is the same and
    /// under way.
    pub async fn begin(&self, key: CallKey, now: DateTime<Utc>) -> Result<CallTurn, GuardError> {
        let mut transaction = self.db.begin().await?;
        if let CallKey(Some(key)) = key
            && !idempotent_responses::claim(&mut transaction, &key, now + WINDOW, now).await?
        {
            let kept = idempotent_responses::find(&mut *transaction, &key, now).await?;
            let kept = kept.ok_or(GuardError::Gone)?;
            return open(&self.seal, &kept, &key).map(CallTurn::Again);
        }
        Ok(CallTurn::First(GuardedCall { transaction, key: key.0, seal: self.seal.clone(), now }))
    }
}

impl GuardedCall {
    /// The transaction.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Keeps the answer, writes down what happened, and makes both true.
    ///
    /// # Errors
    /// Where the database does not answer; whether it has happened, the same call again is told.
    pub async fn finish(mut self, answer: SecretString, event: AuditEvent) -> Result<GuardedAnswer, GuardError> {
        audit_events::insert(&mut *self.transaction, &event, self.now).await?;
        if let Some(key) = &self.key {
            let sealed = self.seal.close(answer.expose_secret(), &place(key));
            idempotent_responses::update(&mut self.transaction, key, &sealed, self.now).await?;
        }
        self.transaction.commit().await?;
        Ok(GuardedAnswer::New(answer, Box::new(event)))
    }
}

fn open(seal: &Seal, kept: &SealedValue, key: &[u8; 32]) -> Result<GuardedAnswer, GuardError> {
    Ok(GuardedAnswer::Kept(seal.open(kept, &place(key))?))
}

/// The place that a kept answer is sealed for.
fn place(key: &[u8; 32]) -> String {
    format!("idempotent_responses/{key:x?}")
}
