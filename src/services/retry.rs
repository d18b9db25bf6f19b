//! Transactions that lost a race, or their connection, and are run again.
//!
//! A workflow opens its transaction inside the closure that it gives to [`retried`], so that each attempt begins with
//! what is true by then. Nothing outside the transaction may happen in the closure: an event is logged, a task is
//! queued in memory, a cache is changed by the caller, once the answer is there.
//!
//! ```ignore
//! retried(db, RetryAfter::LostRace, || async {
//!     let mut transaction = db.begin().await?;
//!     let outcome = work(&mut transaction).await?;
//!     transaction.commit().await?;
//!     Ok(outcome)
//! })
//! .await
//! ```
//!
//! A loop that waits with growing pauses for a database that is away is another thing: see [`crate::store::settled`].

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::store::{self, Db};

/// How often a transaction is run at most.
pub const ATTEMPTS: u32 = 5;

/// Which failures of a transaction are worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// It ended by no fault of its own before anything came of it: its connection was lost, or PostgreSQL ended it
    /// because it and another one waited for each other ([`store::Error::is_undone`]). Right for every transaction.
    Undone,
    /// Also where another writer was faster: a unique index or a foreign key stood against it
    /// ([`store::Error::is_lost_race`]). Right for a transaction that looks before it writes, for it finds what the
    /// other one wrote.
    LostRace,
}

impl RetryAfter {
    fn covers(self, error: &store::Error) -> bool {
        error.is_undone() || (self == Self::LostRace && error.is_lost_race())
    }
}

/// A failure that may be the store's. Implemented by [`store::Error`] and by the error types of services and commands.
pub trait StoreFailure {
    /// The store's error, where this failure is one.
    fn store_error(&self) -> Option<&store::Error>;
}

impl StoreFailure for store::Error {
    fn store_error(&self) -> Option<&store::Error> {
        Some(self)
    }
}

/// What comes of a transaction, which is run again at once, [`ATTEMPTS`] times in all, after failures that are worth
/// it. In all they have as long as the database may take for a connection and a statement: one that falls silent in the
/// middle is not waited for.
///
/// # Errors
/// The last failure, or the first one that is not worth another attempt. [`store::Error::Unknown`] where the time was up:
/// it may have been in the middle of the commit.
pub async fn retried<T, E, F>(db: &Db, after: RetryAfter, transaction: impl Fn() -> F) -> Result<T, E>
where
    E: StoreFailure + From<store::Error>,
    F: Future<Output = Result<T, E>>,
{
    run(db.terms().whole(), after, transaction).await
}

async fn run<T, E, F>(time: Duration, after: RetryAfter, transaction: impl Fn() -> F) -> Result<T, E>
where
    E: StoreFailure + From<store::Error>,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + time;
    let attempt = async || {
        let ended = timeout(end.saturating_duration_since(Instant::now()), transaction()).await;
        ended.unwrap_or_else(|_| Err(store::silence().into()))
    };
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(failure) if failure.store_error().is_some_and(|error| after.covers(error)) => {}
            ended => return ended,
        }
    }
    attempt().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::store::Error;

    const LONG: Duration = Duration::from_mins(1);

    /// How often a transaction is run that always fails so.
    async fn attempts(after: RetryAfter, error: fn() -> Error) -> u32 {
        let attempts = Cell::new(0);
        let ended: Result<(), Error> = run(LONG, after, || async {
            attempts.set(attempts.get() + 1);
            Err(error())
        })
        .await;
        assert!(ended.is_err());
        attempts.get()
    }

    #[tokio::test]
    async fn a_transaction_runs_again_after_failures_that_are_worth_it() {
        let lost_race = || Error::Duplicate("index_users_on_username".to_owned());
        let undone = || Error::Unavailable(sqlx::Error::WorkerCrashed);
        let unreachable = || Error::Unavailable(sqlx::Error::PoolTimedOut);
        let unknown = || Error::Unknown(sqlx::Error::WorkerCrashed);
        let wrong = || Error::Query(sqlx::Error::RowNotFound);
        assert_eq!(attempts(RetryAfter::LostRace, lost_race).await, ATTEMPTS);
        assert_eq!(attempts(RetryAfter::Undone, lost_race).await, 1);
        for after in [RetryAfter::LostRace, RetryAfter::Undone] {
            assert_eq!(attempts(after, undone).await, ATTEMPTS, "{after:?}");
            assert_eq!(attempts(after, unreachable).await, 1, "{after:?}");
            assert_eq!(attempts(after, unknown).await, 1, "{after:?}");
            assert_eq!(attempts(after, wrong).await, 1, "{after:?}");
        }
    }

    #[tokio::test]
    async fn a_transaction_that_hears_nothing_ends_and_is_not_run_again() {
        let ended: Result<(), Error> = run(Duration::from_millis(10), RetryAfter::LostRace, std::future::pending).await;
        assert!(matches!(ended, Err(Error::Unknown(_))), "{ended:?}");
    }

    #[tokio::test]
    async fn the_first_answer_ends_it() {
        let attempts = Cell::new(0);
        let ended = run(LONG, RetryAfter::LostRace, || async {
            attempts.set(attempts.get() + 1);
            if attempts.get() < 3 { Err(Error::Duplicate("an index".to_owned())) } else { Ok(attempts.get()) }
        })
        .await;
        assert_eq!(ended.unwrap(), 3);
    }
}
