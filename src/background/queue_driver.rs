//! The database as the queue's library sees it: one that is never away. What the library would meet with a line in the
//! log and another attempt at once is waited out here, with pauses, until the server is asked to stop.
//!
//! The library numbers the kinds of jobs, once, when a worker starts. A database that was restored meanwhile may number
//! them otherwise; so jobs are taken in a transaction that compares, and a worker that knows other numbers takes none
//! and is replaced.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream;
use graphile_worker::{
    BoxFuture, DatabaseDriver, DbError, DbExecutor, DbExecutorArg, DbParams, DbRow, DbTransaction, DbValue,
    Notification, NotificationStream, TransactionDriver,
};
use sqlx::PgConnection;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::{Mutex as AsyncMutex, watch};
use tokio::time::{sleep, timeout};

use crate::store::db::RetryPauses;
use crate::store::fault::StatementFault;
use crate::store::{self, Db, Error, Transaction};

/// The longest pause between two attempts to reach the database.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long nothing may arrive before the connection that listens is asked whether it lives.
const SILENCE: Duration = Duration::from_secs(30);
/// How long that may take.
const PING: Duration = Duration::from_secs(2);

/// The driver of one worker.
#[derive(Clone)]
pub struct QueueDriver {
    db: Db,
    stop: watch::Receiver<bool>,
    /// The numbers of the kinds of jobs that the worker knows.
    kinds: Arc<Mutex<BTreeMap<i32, String>>>,
    /// What the worker calls itself in the rows of jobs that it has taken.
    holder: Arc<Mutex<Option<String>>>,
    outdated: Arc<watch::Sender<bool>>,
}

impl fmt::Debug for QueueDriver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("QueueDriver")
    }
}

/// What became of a statement that was tried once.
enum StatementOutcome<T> {
    Done(T),
    /// Its own fault.
    Failed(DbError),
    /// Not the statement's fault, and nothing was done.
    Undone(DbError),
    /// Nobody knows whether it was done.
    Unknown(DbError),
}

impl QueueDriver {
    /// A driver over these connections, for a worker that works until `stop` says true.
    #[must_use]
    pub fn new(db: Db, stop: watch::Receiver<bool>) -> Self {
        Self { db, stop, kinds: Arc::default(), holder: Arc::default(), outdated: Arc::new(watch::Sender::new(false)) }
    }

    /// Ends once the worker must be replaced by another: it knows the kinds of jobs by numbers that are wrong by now,
    /// or may have taken jobs that it does not know of.
    pub async fn outdated(&self) {
        // The sender lives as long as this driver does.
        let _ = self.outdated.subscribe().wait_for(|outdated| *outdated).await;
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Tries until it is done, or fails by its own fault, or the server stops.
    async fn until_done<T, F>(&self, once: impl Fn() -> F) -> Result<T, DbError>
    where
        F: Future<Output = StatementOutcome<T>>,
    {
        let mut pauses = RetryPauses::up_to(LONGEST_PAUSE);
        loop {
            match once().await {
                StatementOutcome::Done(done) => return Ok(done),
                StatementOutcome::Failed(error) | StatementOutcome::Unknown(error) => return Err(error),
                StatementOutcome::Undone(error) if self.is_stopping() => return Err(error),
                StatementOutcome::Undone(_) => {
                    let mut stop = self.stop.clone();
                    let _ = timeout(pauses.longer(), stop.wait_for(|stop| *stop)).await;
                }
            }
        }
    }

    async fn fetch_once(&self, sql: &str, params: &DbParams) -> StatementOutcome<Vec<DbRow>> {
        let mut transaction = match self.db.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return StatementOutcome::of(&error),
        };
        let rows = match self.in_time((&mut *transaction).fetch_all(sql, params.clone())).await {
            Ok(rows) => rows,
            Err(error) => return StatementOutcome::of_driver(error),
        };
        let taken: Vec<i32> = rows.iter().filter_map(|row| row.try_get("task_id").ok()).collect();
        match self.knows(&mut transaction, &taken).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!("the queue numbers its jobs anew, as after a restore; the worker is replaced");
                self.outdated.send_replace(true);
                return StatementOutcome::Failed(DbError::new("this worker knows the kinds of jobs by other numbers"));
            }
            Err(error) => return StatementOutcome::of(&error),
        }
        match transaction.commit().await {
            Ok(()) => {
                self.learn(&rows);
                self.learn_holder(&rows);
                StatementOutcome::Done(rows)
            }
            Err(error) => {
                if matches!(error, Error::Unknown(_)) && !taken.is_empty() {
                    // Jobs that were taken would stay this worker's, and it would not know. They are freed with it.
                    self.outdated.send_replace(true);
                }
                StatementOutcome::of(&error)
            }
        }
    }

    /// Keeps the numbers of the kinds of jobs, which the library asks for before it does anything else.
    fn learn(&self, rows: &[DbRow]) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        for row in rows {
            if let (Ok(id), Ok(identifier)) = (row.try_get("id"), row.try_get("identifier")) {
                kinds.insert(id, identifier);
            }
        }
    }

    fn learn_holder(&self, rows: &[DbRow]) {
        if let Some(holder) = rows.iter().find_map(|row| row.try_get::<Option<String>>("locked_by").ok().flatten()) {
            *self.holder.lock().unwrap_or_else(PoisonError::into_inner) = Some(holder);
        }
    }

    async fn knows(&self, db: &mut PgConnection, taken: &[i32]) -> store::Result<bool> {
        if taken.is_empty() {
            return Ok(true);
        }
        let now = store::jobs::list_kinds(db, taken).await?;
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        // Only jobs of kinds that the worker knows are ever taken; others are merely looked at.
        Ok(taken.iter().filter(|id| kinds.contains_key(id)).all(|id| kinds.get(id) == now.get(id)))
    }

    async fn execute_once(&self, sql: &str, params: &DbParams) -> StatementOutcome<u64> {
        let mut transaction = match self.db.begin().await {
            Ok(transaction) => transaction,
            Err(error) => return StatementOutcome::of(&error),
        };
        let holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (sql, params) = guarded(sql, params, holder);
        let rows = match self.in_time((&mut *transaction).execute(&sql, params)).await {
            Ok(rows) => rows,
            Err(error) => return StatementOutcome::of_driver(error),
        };
        match transaction.commit().await {
            Ok(()) => StatementOutcome::Done(rows),
            // All that the library executes may be executed twice: signs of life, and the ends of this worker's jobs.
            Err(Error::Unknown(error)) => StatementOutcome::Undone(error.into()),
            Err(error) => StatementOutcome::of(&error),
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
        let silence = || Err(DbError::with_code("no answer in time", "08006"));
        timeout(self.db.terms().deadline(), work).await.unwrap_or_else(|_| silence())
    }
}

/// The end of a job, which the library finds by its number alone, where the job is still its worker's: after it was
/// taken over, or the database was restored, the number may be that of another's job. Other statements as they are.
fn guarded(sql: &str, params: &DbParams, holder: Option<String>) -> (String, DbParams) {
    const BY_NUMBER: &str = "where id = $1::bigint";
    let mut params = params.clone();
    match (params.values(), holder) {
        ([DbValue::I64(_), ..], Some(holder)) if sql.contains("delete from") && sql.contains(BY_NUMBER) => {
            let number = params.values().len() + 1;
            params.push(DbValue::Text(holder));
            (sql.replacen(BY_NUMBER, &format!("{BY_NUMBER} and locked_by = ${number}::text"), 1), params)
        }
        _ => (sql.to_owned(), params),
    }
}

impl<T> StatementOutcome<T> {
    fn of(error: &Error) -> Self {
        let undone = error.is_about_the_database();
        let unknown = matches!(error, Error::Unknown(_));
        let error = DbError::new(error.to_string());
        if unknown {
            Self::Unknown(error)
        } else if undone {
            Self::Undone(error)
        } else {
            Self::Failed(error)
        }
    }

    /// Of a statement in a transaction that is rolled back now, so that nothing was done in any case.
    fn of_driver(error: DbError) -> Self {
        match error.code().map(|code| StatementFault::of_sqlstate(code, None)) {
            Some(StatementFault::Statement) => Self::Failed(error),
            // Without a code it is the connection's.
            Some(StatementFault::Contention | StatementFault::NotExecuted | StatementFault::Unanswered) | None => {
                Self::Undone(error)
            }
        }
    }
}

impl DbExecutor for QueueDriver {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move { self.until_done(|| self.execute_once(sql, &params)).await })
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(async move { self.until_done(|| self.fetch_once(sql, &params)).await })
    }
}

impl DatabaseDriver for QueueDriver {
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn begin(&self) -> BoxFuture<'_, Result<DbTransaction, DbError>> {
        Box::pin(async move {
            let once = async || match self.db.begin().await {
                Ok(transaction) => StatementOutcome::Done(transaction),
                Err(error) => StatementOutcome::of(&error),
            };
            let transaction = self.until_done(once).await?;
            Ok(DbTransaction::new(Box::new(QueueTransaction(self.clone(), AsyncMutex::new(transaction)))))
        })
    }

    fn listen<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<Option<NotificationStream>, DbError>> {
        let ear = QueueListener { driver: self.clone(), channel: channel.to_owned(), listener: None };
        let notifications = stream::unfold(ear, |mut ear| async move {
            let notification = ear.next().await?;
            Some((Ok(notification), ear))
        });
        Box::pin(async move { Ok(Some(Box::pin(notifications) as NotificationStream)) })
    }
}

struct QueueTransaction(QueueDriver, AsyncMutex<Transaction>);

impl DbExecutor for QueueTransaction {
    fn execute<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<u64, DbError>> {
        Box::pin(async move {
            let mut transaction = self.1.lock().await;
            self.0.in_time((&mut **transaction).execute(sql, params)).await
        })
    }

    fn fetch_all<'a>(&'a self, sql: &'a str, params: DbParams) -> BoxFuture<'a, Result<Vec<DbRow>, DbError>> {
        Box::pin(async move {
            let mut transaction = self.1.lock().await;
            self.0.in_time((&mut **transaction).fetch_all(sql, params)).await
        })
    }
}

impl TransactionDriver for QueueTransaction {
    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), DbError>> {
        Box::pin(async move { self.1.into_inner().commit().await.map_err(|error| DbError::new(error.to_string())) })
    }
}

/// The listener for new jobs. It listens again after whatever has happened to its connection, and then says that
/// something may have been missed.
struct QueueListener {
    driver: QueueDriver,
    channel: String,
    listener: Option<PgListener>,
}

impl QueueListener {
    /// The next notification; None once the server stops.
    async fn next(&mut self) -> Option<Notification> {
        let mut pauses = RetryPauses::up_to(LONGEST_PAUSE);
        loop {
            if self.driver.is_stopping() {
                return None;
            }
            let Some(listener) = &mut self.listener else {
                match timeout(self.driver.db.terms().patience, self.connect()).await {
                    Ok(Ok(listener)) => {
                        self.listener = Some(listener);
                        return Some(self.notification());
                    }
                    Ok(Err(_)) | Err(_) => sleep(pauses.longer()).await,
                }
                continue;
            };
            match timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(_))) => return Some(self.notification()),
                Ok(Ok(None) | Err(_)) => self.listener = None,
                Err(_) => {
                    let alive = timeout(PING, store::ping(listener)).await;
                    if !matches!(alive, Ok(Ok(()))) {
                        self.listener = None;
                    }
                }
            }
        }
    }

    /// A connection of its own: it is never given back in time to anybody.
    async fn connect(&self) -> store::Result<PgListener> {
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(self.driver.db.session().await?);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(&self.channel).await?;
        Ok(listener)
    }

    fn notification(&self) -> Notification {
        Notification { channel: self.channel.clone(), payload: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_ends_its_own_jobs_alone() {
        let ended = |sql: &str, params: Vec<DbValue>| {
            let (sql, params) = guarded(sql, &params.into(), Some("me".to_owned()));
            (sql.split_whitespace().collect::<Vec<_>>().join(" "), params.values().len())
        };
        let plain = "delete from jobs\n where id = $1::bigint;";
        assert_eq!(
            ended(plain, vec![DbValue::I64(7)]).0,
            "delete from jobs where id = $1::bigint and locked_by = $2::text;"
        );
        let queued = "with j as (delete from jobs as jobs where id = $1::bigint returning *) update job_queues set \
                      locked_by = null from j where job_queues.locked_by = $2::text;";
        let (sql, count) = ended(queued, vec![DbValue::I64(7), DbValue::Text("me".to_owned())]);
        assert!(sql.contains("where id = $1::bigint and locked_by = $3::text returning *") && count == 3, "{sql}");
        let other = "update jobs set run_at = now() where id = $1::bigint";
        assert_eq!(ended(other, vec![DbValue::I64(7)]), (other.to_owned(), 1));
    }
}
