//! The batcher: requests that wait at the same moment share one round trip to the database.
//!
//! A lone request is a batch of one and waits for nothing. While every connection is busy, requests queue, and the
//! next connection that becomes free takes all of them. So the batches grow with the load, and no timer is needed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{sleep, timeout};

use crate::store::db::RetryPauses;
use crate::store::fault::{self, StatementFault};
use crate::store::{Connection, Db, Error, Result};
use crate::telemetry::trace::{TraceMark, TraceSpan};

/// Requests in one statement at most: past this, a statement grows longer than waiting for a second one.
const BATCH: usize = 64;
/// Requests that may wait at most; further ones are answered that the database is not available.
const QUEUE: usize = 16_384;
/// How long a connection is kept. A fresh one finds a database that has moved.
const KEPT: Duration = Duration::from_mins(1);

/// A statement that answers many requests of a kind.
pub trait BatchedQuery: fmt::Debug + Send + Sync + 'static {
    /// A request.
    type Request: Send + Sync;
    /// Its answer.
    type Response: Send;
    /// What metrics call it.
    const NAME: &'static str;
    /// Whether a batch that may have been answered can be asked again: false for one that adds something.
    const REPEATABLE: bool = true;

    /// The answers, in the order of the requests.
    fn load(
        &self,
        connection: &mut PgConnection,
        requests: &[Self::Request],
    ) -> impl Future<Output = Result<Vec<Self::Response>>> + Send;
}

/// The queue before the connections. Clones share it; when the last one goes, the connections are given up.
#[derive(Debug)]
pub struct Batcher<B: BatchedQuery> {
    queue: mpsc::Sender<WaitingRequest<B>>,
    patience: Duration,
}

type BatchedAnswer<B> = oneshot::Sender<Result<<B as BatchedQuery>::Response>>;
type WaitingRequest<B> = (<B as BatchedQuery>::Request, (BatchedAnswer<B>, TraceMark));

impl<B: BatchedQuery> Clone for Batcher<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), patience: self.patience }
    }
}

impl<B: BatchedQuery> Batcher<B> {
    /// A queue before `connections` connections of the budget. Requests wait for an answer for as long as its work
    /// waits.
    #[must_use]
    pub fn new(batch: B, db: Db, connections: u32) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let patience = db.terms().patience;
        let worker = Arc::new(BatchWorker { batch, db, patience, waiting: Mutex::new(waiting) });
        for _ in 0..connections {
            tokio::spawn(Arc::clone(&worker).run());
        }
        Self { queue, patience }
    }

    /// The answer to one request.
    ///
    /// # Errors
    /// `Unavailable` when none came in time; what the database said otherwise.
    pub async fn load(&self, request: B::Request) -> Result<B::Response> {
        self.load_within(request, self.patience).await
    }

    /// The answer to one request, waited for as long as this.
    ///
    /// # Errors
    /// `Unavailable` when none came in time; what the database said otherwise.
    pub async fn load_within(&self, request: B::Request, patience: Duration) -> Result<B::Response> {
        let unavailable = || Error::Unavailable(sqlx::Error::PoolTimedOut);
        let (answer, answered) = oneshot::channel();
        let trace = TraceSpan::call(|| format!("wait for {}", B::NAME).into());
        self.queue.try_send((request, (answer, trace.mark()))).map_err(|_| unavailable())?;
        match timeout(patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(unavailable()),
        }
    }
}

#[derive(Debug)]
struct BatchWorker<B: BatchedQuery> {
    batch: B,
    db: Db,
    patience: Duration,
    waiting: Mutex<mpsc::Receiver<WaitingRequest<B>>>,
}

/// A connection that is kept between batches, for giving it back costs a round trip.
struct KeptConnection {
    connection: Connection,
    since: Instant,
}

impl<B: BatchedQuery> BatchWorker<B> {
    async fn run(self: Arc<Self>) {
        let mut kept = None;
        loop {
            let mut batch = Vec::new();
            if self.waiting.lock().await.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            // Whoever has given up by now needs no answer.
            batch.retain(|(_, (answer, _))| !answer.is_closed());
            let (requests, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let (answers, marks): (Vec<_>, Vec<TraceMark>) = answers.into_iter().unzip();
            if requests.is_empty() {
                continue;
            }
            let (trace, started) = (TraceSpan::shared(B::NAME, marks.iter()), Instant::now());
            let loaded = self.load(&mut kept, &requests, || answers.iter().any(|answer| !answer.is_closed())).await;
            metrics::histogram!("gatehouse_batch_seconds", "batch" => B::NAME).record(started.elapsed());
            trace.set("gatehouse.batch_size", || i64::try_from(requests.len()).unwrap_or(i64::MAX));
            if loaded.is_err() {
                trace.fail(|| "failed".to_owned());
            }
            drop(trace);
            #[expect(clippy::cast_precision_loss, reason = "a batch holds few requests")]
            metrics::histogram!("gatehouse_batch_size", "batch" => B::NAME).record(requests.len() as f64);
            match loaded {
                Ok(loaded) => answers.into_iter().zip(loaded).for_each(|(answer, loaded)| {
                    let _ = answer.send(Ok(loaded));
                }),
                Err(Error::Query(error)) if requests.len() > 1 => {
                    tracing::warn!(%error, batch = B::NAME, "a batch failed; asking one by one");
                    for (request, answer) in requests.iter().zip(answers) {
                        let waits = || !answer.is_closed();
                        let alone = self.load(&mut kept, std::slice::from_ref(request), waits).await;
                        let _ = answer.send(alone.and_then(only));
                    }
                }
                Err(error) => fail(error, answers),
            }
        }
    }

    /// The answers; asked for again on fresh connections for as long as somebody waits for them. A batch that is not
    /// repeatable is asked again only where it was certainly not executed.
    async fn load(
        &self,
        kept: &mut Option<KeptConnection>,
        requests: &[B::Request],
        somebody_waits: impl Fn() -> bool + Send,
    ) -> Result<Vec<B::Response>> {
        let mut pauses = RetryPauses::default();
        loop {
            match self.attempt(kept, requests).await {
                Err(Error::Unavailable(error))
                    if (B::REPEATABLE || StatementFault::of(&error) == StatementFault::NotExecuted)
                        && somebody_waits() =>
                {
                    sleep(pauses.longer()).await;
                }
                answer => return answer,
            }
        }
    }

    async fn attempt(&self, kept: &mut Option<KeptConnection>, requests: &[B::Request]) -> Result<Vec<B::Response>> {
        let mut kept_now = match kept.take().filter(|kept| kept.since.elapsed() < KEPT) {
            Some(kept) if B::REPEATABLE => kept,
            // What cannot be asked twice finds out before it asks.
            Some(mut kept) => {
                if let Ok(Ok(())) = timeout(self.patience, kept.connection.ping()).await {
                    kept
                } else {
                    kept.connection.discard();
                    self.fresh().await?
                }
            }
            None => self.fresh().await?,
        };
        // A database that has gone silent must not hold the worker for longer than anybody waits.
        let result = match timeout(self.patience, self.batch.load(&mut kept_now.connection, requests)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unavailable(fault::silence())),
        };
        match &result {
            Err(Error::Unavailable(_) | Error::Unknown(_)) => kept_now.connection.discard(),
            Ok(_) | Err(Error::Query(_) | Error::Duplicate(_) | Error::Busy(_) | Error::ReadOnly) => {
                *kept = Some(kept_now);
            }
        }
        result
    }

    async fn fresh(&self) -> Result<KeptConnection> {
        Ok(KeptConnection { connection: self.db.acquire().await?, since: Instant::now() })
    }
}

fn only<T>(answers: Vec<T>) -> Result<T> {
    answers.into_iter().next().ok_or(Error::Query(sqlx::Error::RowNotFound))
}

fn fail<T>(error: Error, answers: Vec<oneshot::Sender<Result<T>>>) {
    // The error itself cannot be copied: the first one to wait gets it, the others its kind.
    let again = |error: &Error| match error {
        Error::Busy(_) => Error::Busy(sqlx::Error::WorkerCrashed),
        Error::ReadOnly => Error::ReadOnly,
        Error::Unavailable(_) | Error::Unknown(_) | Error::Query(_) | Error::Duplicate(_) => {
            Error::Unavailable(sqlx::Error::WorkerCrashed)
        }
    };
    let mut answers = answers.into_iter();
    let first = answers.next();
    for answer in answers {
        let _ = answer.send(Err(again(&error)));
    }
    if let Some(first) = first {
        let _ = first.send(Err(error));
    }
}
