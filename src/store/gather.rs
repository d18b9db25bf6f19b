//! Gathering: questions that wait at the same moment share one round trip to the database.
//!
//! A lone question is a batch of one and waits for nothing. While every connection is busy, questions queue, and the
//! next connection that becomes free takes all of them. So the batches grow with the load, and no timer is needed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Error, Result};

/// Questions in one statement at most: past this, a statement grows longer than waiting for a second one.
const BATCH: usize = 64;
/// Questions that may wait at most; further ones are answered that the database is not available.
const QUEUE: usize = 16_384;

/// A statement that answers many questions of a kind.
pub trait Batch: fmt::Debug + Send + Sync + 'static {
    /// A question.
    type Ask: Send + Sync;
    /// Its answer.
    type Answer: Send;
    /// What metrics call it.
    const NAME: &'static str;
    /// Whether a batch that may have been answered can be asked again: false for one that adds something.
    const REPEATABLE: bool = true;

    /// The answers, in the order of the questions.
    fn load(
        &self,
        connection: &mut PgConnection,
        asked: &[Self::Ask],
    ) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;
}

/// The queue before the connections. Clones share it; when the last one goes, the connections are given up.
#[derive(Debug)]
pub struct Gather<B: Batch> {
    queue: mpsc::Sender<Waiting<B>>,
    patience: Duration,
}

type Waiting<B> = (<B as Batch>::Ask, oneshot::Sender<Result<<B as Batch>::Answer>>);

impl<B: Batch> Clone for Gather<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), patience: self.patience }
    }
}

impl<B: Batch> Gather<B> {
    /// A queue before `connections` connections of the pool, whose questions wait `patience` for an answer.
    #[must_use]
    pub fn new(batch: B, pool: PgPool, connections: u32, patience: Duration) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let worker = Arc::new(Worker { batch, pool, patience, waiting: Mutex::new(waiting) });
        for _ in 0..connections {
            tokio::spawn(Arc::clone(&worker).run());
        }
        Self { queue, patience }
    }

    /// The answer to one question.
    ///
    /// # Errors
    /// `Unavailable` when none came in time; what the database said otherwise.
    pub async fn load(&self, ask: B::Ask) -> Result<B::Answer> {
        let unavailable = || Error::Unavailable(sqlx::Error::PoolTimedOut);
        let (answer, answered) = oneshot::channel();
        self.queue.try_send((ask, answer)).map_err(|_| unavailable())?;
        match tokio::time::timeout(self.patience, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(unavailable()),
        }
    }
}

#[derive(Debug)]
struct Worker<B: Batch> {
    batch: B,
    pool: PgPool,
    patience: Duration,
    waiting: Mutex<mpsc::Receiver<Waiting<B>>>,
}

impl<B: Batch> Worker<B> {
    async fn run(self: Arc<Self>) {
        // Kept between batches: giving a connection back to the pool costs a round trip.
        let mut kept: Option<PoolConnection<Postgres>> = None;
        loop {
            let mut batch = Vec::new();
            if self.waiting.lock().await.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            // Whoever has given up by now needs no answer.
            batch.retain(|(_, answer)| !answer.is_closed());
            let (asked, answers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            if asked.is_empty() {
                continue;
            }
            let started = Instant::now();
            let loaded = self.load(&mut kept, &asked).await;
            metrics::histogram!("gatehouse_batch_seconds", "batch" => B::NAME).record(started.elapsed());
            #[expect(clippy::cast_precision_loss, reason = "a batch holds few questions")]
            metrics::histogram!("gatehouse_batch_size", "batch" => B::NAME).record(asked.len() as f64);
            match loaded {
                Ok(loaded) => answers.into_iter().zip(loaded).for_each(|(answer, loaded)| {
                    let _ = answer.send(Ok(loaded));
                }),
                Err(Error::Query(error)) if asked.len() > 1 => {
                    tracing::warn!(%error, batch = B::NAME, "a batch failed; asking one by one");
                    for (ask, answer) in asked.iter().zip(answers) {
                        let alone = self.load(&mut kept, std::slice::from_ref(ask)).await;
                        let _ = answer.send(alone.and_then(only));
                    }
                }
                Err(error) => fail(error, answers),
            }
        }
    }

    async fn load(&self, kept: &mut Option<PoolConnection<Postgres>>, asked: &[B::Ask]) -> Result<Vec<B::Answer>> {
        let reused = kept.is_some();
        if !B::REPEATABLE {
            // A connection that broke while it lay idle is found out before anything is asked of it.
            let alive = match kept {
                Some(connection) => {
                    matches!(tokio::time::timeout(self.patience, connection.ping()).await, Ok(Ok(())))
                }
                None => true,
            };
            if !alive && let Some(mut broken) = kept.take() {
                broken.close_on_drop();
            }
            return self.attempt(kept, asked).await;
        }
        let result = self.attempt(kept, asked).await;
        match result {
            // The connection broke while it lay idle, as after a restart of the database: that is nobody's question.
            Err(Error::Unavailable(_)) if reused => self.attempt(kept, asked).await,
            result => result,
        }
    }

    async fn attempt(&self, kept: &mut Option<PoolConnection<Postgres>>, asked: &[B::Ask]) -> Result<Vec<B::Answer>> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        // A database that has gone silent must not hold the worker for longer than anybody waits.
        let result = match tokio::time::timeout(self.patience, self.batch.load(&mut connection, asked)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Unavailable(sqlx::Error::PoolTimedOut)),
        };
        match &result {
            Err(Error::Unavailable(_)) => connection.close_on_drop(),
            Ok(_) | Err(Error::Query(_) | Error::Duplicate(_)) => *kept = Some(connection),
        }
        result
    }
}

fn only<T>(answers: Vec<T>) -> Result<T> {
    answers.into_iter().next().ok_or(Error::Query(sqlx::Error::RowNotFound))
}

fn fail<T>(error: Error, answers: Vec<oneshot::Sender<Result<T>>>) {
    // The error itself cannot be copied: the first one to wait gets it, the others its kind.
    let unavailable = matches!(error, Error::Unavailable(_));
    let mut answers = answers.into_iter();
    if let Some(first) = answers.next() {
        let _ = first.send(Err(error));
    }
    for answer in answers {
        let error = if unavailable { sqlx::Error::PoolTimedOut } else { sqlx::Error::WorkerCrashed };
        let _ = answer.send(Err(error.into()));
    }
}
