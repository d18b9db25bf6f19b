//! What happens after an answer was given: one durable job a file, on a queue in PostgreSQL that all servers share.
//!
//! A job is enqueued in the transaction of what caused it, and works from rows of ours: its payload names them, and the
//! trace that it goes on with, and holds nothing else, for the library writes payloads to the log. Jobs run at least
//! once. What a job does in the database it does in one transaction that finds out whether it was done before. What
//! waits for somebody else's server has a worker of its own, and each such server no more than its share of it.

pub mod access_facts_batcher;
pub mod announce_alert;
pub mod batcher;
pub mod deliver_webhook;
pub mod expire_memberships;
pub mod kas_usage_batcher;
pub mod last_used;
pub mod post_receive;
pub mod queue_driver;
pub mod refresh_repository;
pub mod refresh_seats;
pub mod refusals;
pub mod remove_repository;
pub mod scim_calls;
pub mod sync_scim_members;
mod upkeep;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use graphile_worker::{
    Job, JobComplete, JobCompleteContext, JobFail, JobPermanentlyFail, LocalQueueConfig, RefetchDelayConfig,
    TaskHandler, Worker, WorkerContext, WorkerOptions, WorkerRecovered, WorkerRecoveredContext, WorkerRecoveryConfig,
};
use secrecy::SecretString;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use self::announce_alert::AnnounceAlert;
use self::deliver_webhook::DeliverWebhook;
use self::post_receive::PostReceive;
use self::queue_driver::QueueDriver;
use self::refresh_repository::RefreshRepository;
use self::remove_repository::RemoveRepository;
use self::sync_scim_members::SyncScimMembers;
use crate::clock::Clock;
use crate::config::{DatabaseSettings, QueueSettings, RefusalSettings};
use crate::crypto::attr_encrypted::ColumnKey;
use crate::gitaly;
use crate::lfs_files::LfsFiles;
use crate::services::hook_payload::InstallationUrls;
use crate::services::outbound::OutboundClient;
use crate::services::pushed_repositories::PushedRepositories;
use crate::store::db::RetryPauses;
use crate::store::{self, Db, jobs};
use crate::telemetry::trace::TraceSpan;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: f64 = 6.0 * 3600.0;
/// Deliveries that a server has under way at once. They wait for receivers, not for this machine or the database.
const DELIVERIES: usize = 64;
/// Connections for what deliveries have to read and write, before and after they wait.
const DELIVERIES_CONNECTIONS: u32 = 4;
/// How long an attempt of a job may take: a server that it asks may fall silent in the middle.
const ATTEMPT: Duration = Duration::from_mins(5);
/// The longest pause after which a worker that has failed as a whole is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(10);

/// What jobs need to know of the installation.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Where the installation is.
    pub urls: InstallationUrls,
    /// What columns of hooks are encrypted with.
    pub db_key_base: SecretString,
    /// Seconds that the receiver of a hook may take.
    pub webhook_timeout: Duration,
    /// Seconds that jobs under way are given when the server is asked to stop.
    pub drain_timeout: Duration,
    /// The queue's own settings.
    pub queue: QueueSettings,
    /// What is kept of refused attempts.
    pub refusals: RefusalSettings,
    /// The files of LFS objects.
    pub lfs_files: LfsFiles,
}

/// What the jobs of this server work with.
#[derive(Debug, Clone)]
pub struct JobState {
    /// Connections beside those that answer clients, so that jobs and clients do not wait for each other.
    pub pool: Db,
    /// The clock.
    pub clock: Clock,
    /// The settings.
    pub settings: Arc<JobSettings>,
    /// What hooks' columns are read with.
    pub key: ColumnKey,
    /// The way out.
    pub outbound: OutboundClient,
    /// What is asked about repositories.
    pub repositories: PushedRepositories,
}

impl JobState {
    /// The state of a server's jobs.
    ///
    /// # Errors
    /// Where the database's URL cannot be read, or no HTTP client can be made.
    pub fn new(
        settings: JobSettings,
        database: &DatabaseSettings,
        clock: Clock,
        repositories: PushedRepositories,
    ) -> anyhow::Result<Self> {
        // One connection a job; and for each lane one that fetches jobs, and one that shows that the server is alive.
        let connections = u32::from(settings.queue.concurrency) + DELIVERIES_CONNECTIONS + 4;
        Self::over(Db::beside(database, connections)?, settings, clock, repositories)
    }

    /// The state of jobs over connections that exist.
    pub fn over(
        pool: impl Into<Db>,
        settings: JobSettings,
        clock: Clock,
        repositories: PushedRepositories,
    ) -> anyhow::Result<Self> {
        let pool = pool.into();
        let key = ColumnKey::new(&settings.db_key_base);
        let outbound = OutboundClient::new(settings.webhook_timeout)?;
        Ok(Self { pool, clock, settings: Arc::new(settings), key, outbound, repositories })
    }
}

/// Works on the queue until `stop` says true, and then finishes what is under way.
#[must_use]
pub fn start(state: JobState, stop: watch::Receiver<bool>) -> JoinHandle<()> {
    describe_metrics();
    tokio::spawn(async move {
        let upkeep = tokio::spawn(upkeep::run(state.clone(), stop.clone()));
        if state.settings.queue.concurrency > 0 {
            tokio::join!(work(&state, QueueLane::Events, stop.clone()), work(&state, QueueLane::Deliveries, stop));
        }
        let _ = upkeep.await;
    })
}

/// What a worker works on. Deliveries have a worker of their own, so that nothing else waits for a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLane {
    /// What this machine does by itself, with its database and Gitaly.
    Events,
    /// What is posted to receivers.
    Deliveries,
}

impl QueueLane {
    fn concurrency(self, settings: &JobSettings) -> usize {
        match self {
            Self::Events => settings.queue.concurrency.max(1).into(),
            Self::Deliveries => DELIVERIES,
        }
    }

    /// Jobs that are fetched at once, and so kept from other servers.
    fn handful(self, settings: &JobSettings) -> usize {
        match self {
            Self::Events => 4 * self.concurrency(settings),
            Self::Deliveries => self.concurrency(settings),
        }
    }

    /// The pause between two sweeps, which take over the jobs of servers that died: one lane does so for both.
    fn sweep_interval(self, takeover: Duration) -> Duration {
        match self {
            Self::Events => takeover.mul_f32(0.4),
            Self::Deliveries => Duration::from_hours(24),
        }
    }
}

/// The pause after which the queue is looked at again where there was nothing to do. New jobs end it, one that others
/// waited for, one whose time has come on a server that lives, and those of a server that died.
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// Longer pauses of a job than this are not waited out by the server that set them.
const WAITED_OUT: Duration = Duration::from_mins(1);
/// How long the jobs of a server that died rest before others take them.
const RECOVERY_DELAY: Duration = Duration::from_millis(100);

/// A worker ends well when it is asked to stop; where it fails as a whole, or knows the queue of a database that has
/// been replaced, another takes its place.
async fn work(state: &JobState, lane: QueueLane, mut stop: watch::Receiver<bool>) {
    let mut pauses = RetryPauses::up_to(RESTART_PAUSE);
    let mut leaving = JoinSet::new();
    while !*stop.borrow() {
        let driver = QueueDriver::new(state.pool.clone(), stop.clone());
        let worker = match worker(state, lane, driver.clone(), stop.clone()).await {
            Ok(worker) => Arc::new(worker),
            Err(error) => {
                restarts(&error);
                let _ = tokio::time::timeout(pauses.longer(), stop.wait_for(|stop| *stop)).await;
                continue;
            }
        };
        let running = Arc::clone(&worker);
        let mut run = tokio::spawn(async move { running.run().await });
        tokio::select! {
            ended = &mut run => match ended.map_err(anyhow::Error::from).and_then(|ended| ended.map_err(Into::into)) {
                Ok(()) => {}
                Err(error) => {
                    restarts(&error);
                    let _ = tokio::time::timeout(pauses.longer(), stop.wait_for(|stop| *stop)).await;
                }
            },
            () = driver.outdated() => {
                // The jobs that it works on are finished, beside those of the next worker.
                worker.request_shutdown();
                leaving.spawn(run);
            }
        }
    }
    while leaving.join_next().await.is_some() {}
}

fn restarts(error: &anyhow::Error) {
    tracing::warn!(%error, "the worker of the job queue has failed and is started again");
}

/// A worker over the driver's connections, with the kinds of job that its lane has.
pub async fn worker(
    state: &JobState,
    lane: QueueLane,
    driver: QueueDriver,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Worker> {
    let settings = &state.settings;
    let takeover = Duration::from_secs(settings.queue.takeover_timeout.into());
    let recovery = WorkerRecoveryConfig::default()
        .heartbeat_interval(takeover.mul_f32(0.4))
        .sweep_interval(lane.sweep_interval(takeover))
        .sweep_threshold(takeover)
        .recovery_delay(RECOVERY_DELAY);
    // Without a pause the library asks an empty queue again at once, thousands of times a second. A new job ends the pause.
    let idle = RefetchDelayConfig::default().with_duration(IDLE_PAUSE).with_max_abort_threshold(1);
    let local_queue = LocalQueueConfig::default().with_size(lane.handful(settings)).with_ttl(Duration::from_secs(30));
    let options = WorkerOptions::default()
        .database(graphile_worker::Database::new(driver))
        .schema(jobs::SCHEMA)
        .concurrency(lane.concurrency(settings))
        .poll_interval(IDLE_PAUSE)
        // Jobs are fetched by the handful: one a signal would work off a backlog by a few jobs a second.
        .local_queue(local_queue.with_refetch_delay(idle))
        .worker_recovery(recovery)
        .listen_os_shutdown_signals(false)
        .shutdown_signal(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        })
        // The rest is for putting back what was not ended.
        .shutdown_grace_period(settings.drain_timeout.mul_f32(0.8))
        .shutdown_interrupted_job_retry_delay(Duration::ZERO)
        .add_extension(state.clone())
        .on(JobFail, {
            let pool = state.pool.clone();
            move |failed| postpone(pool.clone(), Arc::clone(&failed.job))
        })
        // The library takes an attempt that was none for the last one: it counts in memory.
        .on(JobPermanentlyFail, {
            let pool = state.pool.clone();
            move |failed| postpone(pool.clone(), Arc::clone(&failed.job))
        });
    let options = match lane {
        QueueLane::Events => {
            let pool = state.pool.clone();
            let recovered = move |swept: WorkerRecoveredContext| {
                if swept.jobs_recovered > 0 {
                    announce_after(pool.clone(), RECOVERY_DELAY);
                }
                async {}
            };
            let options = options.on(WorkerRecovered, recovered);
            let options = options.define_job::<AnnounceAlert>().define_job::<PostReceive>();
            let options = options.define_job::<RefreshRepository>().define_job::<SyncScimMembers>();
            options.define_job::<RemoveRepository>()
        }
        QueueLane::Deliveries => {
            let pool = state.pool.clone();
            let through = move |completed: JobCompleteContext| next_delivery(pool.clone(), completed.job);
            options.define_job::<DeliverWebhook>().on(JobComplete, through)
        }
    };
    Ok(options.init().await?)
}

/// The library has put the job off already, by a pause without chance in it: what failed together would be tried again
/// together.
async fn postpone(pool: Db, job: Arc<Job>) {
    let (id, pause) = (*job.id(), pause(*job.attempts(), rand::random()));
    let delivery = job.payload().get("delivery").and_then(|id| id.as_str()?.parse().ok());
    if let Err(error) = jobs::postpone(&pool, id, pause, delivery).await {
        tracing::warn!(%error, job.id = id, "a failed job keeps its pause without jitter");
    }
    if pause < WAITED_OUT {
        announce_after(pool.clone(), pause);
    }
    next_delivery(pool, job).await;
}

/// Tells all servers after a while that jobs wait.
fn announce_after(pool: Db, pause: Duration) {
    tokio::spawn(async move {
        tokio::time::sleep(pause + Duration::from_millis(50)).await;
        if let Err(error) = jobs::announce(&pool).await {
            tracing::debug!(%error, "a job is found a little later");
        }
    });
}

/// Deliveries to a receiver wait for each other, and nothing else says that one of them is through.
async fn next_delivery(pool: Db, job: Arc<Job>) {
    let Some(queue) = *job.job_queue_id() else { return };
    if let Err(error) = jobs::announce_waiting(&pool, queue).await {
        tracing::debug!(%error, "the next delivery to a receiver is found a little later");
    }
}

/// How long to wait after this many attempts: e, e², e³ … seconds, give or take a quarter by `chance` from 0 to 1.
fn pause(attempts: i16, chance: f64) -> Duration {
    let seconds = f64::from(attempts.clamp(1, 20)).exp().min(LONGEST_PAUSE);
    Duration::from_secs_f64(seconds * (0.75 + chance.clamp(0.0, 1.0) / 2.0))
}

/// Why a job did not succeed.
pub struct JobFailure {
    text: String,
    fate: JobFate,
}

/// What becomes of a job that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobFate {
    /// It is tried again.
    Again,
    /// It was not tried, and will be.
    Later,
    /// It is dead.
    Never,
}

impl JobFailure {
    /// The job is tried again.
    pub fn passing(text: impl Into<String>) -> Self {
        Self { text: text.into(), fate: JobFate::Again }
    }

    /// Now is not the time for the job: this attempt is none.
    pub fn early(text: impl Into<String>) -> Self {
        Self { text: text.into(), fate: JobFate::Later }
    }

    /// Another attempt would end the same way; the job is dead, until an operator has it tried again.
    pub fn lasting(text: impl Into<String>) -> Self {
        Self { text: text.into(), fate: JobFate::Never }
    }
}

impl From<gitaly::GitalyError> for JobFailure {
    fn from(error: gitaly::GitalyError) -> Self {
        Self::passing(error.to_string())
    }
}

impl From<store::Error> for JobFailure {
    fn from(error: store::Error) -> Self {
        Self::passing(error.to_string())
    }
}

/// The library keeps what this prints as the job's last error.
impl fmt::Debug for JobFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Runs one attempt of a job: with its state, counted and timed, and buried where its failure lasts.
async fn attempt<J: TaskHandler, F>(context: WorkerContext, run: impl FnOnce(JobState) -> F) -> Result<(), JobFailure>
where
    F: Future<Output = Result<(), JobFailure>>,
{
    let state: JobState = context.get_ext().cloned().ok_or_else(|| JobFailure::passing("this server has no jobs"))?;
    let (trace, started) = (TraceSpan::job(J::IDENTIFIER, jobs::origin(context.job().payload())), Instant::now());
    let ended = tokio::time::timeout(ATTEMPT, trace.around(run(state.clone()))).await;
    let ended = ended.unwrap_or_else(|_| Err(JobFailure::passing("it took too long")));
    let (fate, outcome) = match &ended {
        Ok(()) => (None, "done"),
        Err(JobFailure { fate: JobFate::Again, .. }) => (Some(JobFate::Again), "failed"),
        Err(JobFailure { fate: JobFate::Later, .. }) => (Some(JobFate::Later), "early"),
        Err(JobFailure { fate: JobFate::Never, .. }) => (Some(JobFate::Never), "buried"),
    };
    metrics::counter!("gatehouse_jobs_total", "job" => J::IDENTIFIER, "outcome" => outcome).increment(1);
    metrics::histogram!("gatehouse_job_seconds", "job" => J::IDENTIFIER).record(started.elapsed());
    trace.set("gatehouse.job", || *context.job().id());
    trace.set("gatehouse.attempt", || i64::from(*context.job().attempts()));
    trace.set("gatehouse.outcome", || outcome);
    if matches!(fate, Some(JobFate::Again | JobFate::Never)) {
        trace.fail(|| outcome.to_owned());
    }
    match fate {
        Some(JobFate::Never) => jobs::update_last_attempt(&state.pool, *context.job().id()).await?,
        Some(JobFate::Later) => jobs::uncount_attempt(&state.pool, *context.job().id()).await?,
        Some(JobFate::Again) | None => {}
    }
    ended
}

fn describe_metrics() {
    metrics::describe_counter!("gatehouse_jobs_total", "Attempts of jobs that ended, by kind and outcome");
    metrics::describe_histogram!("gatehouse_job_seconds", "Seconds of an attempt of a job, by kind");
    metrics::describe_gauge!("gatehouse_jobs", "Jobs of the queue: ready, retrying, running, dead");
    metrics::describe_gauge!("gatehouse_jobs_oldest_seconds", "Age of the oldest job that could run now");
    metrics::describe_counter!("gatehouse_webhooks_total", "Attempts to deliver to a web hook, by outcome");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ_and_end_at_six_hours() {
        let seconds = |attempts, chance| pause(attempts, chance).as_secs();
        assert_eq!([seconds(1, 0.0), seconds(1, 0.5), seconds(1, 1.0)], [2, 2, 3]);
        assert_eq!([seconds(4, 0.5), seconds(8, 0.5), seconds(25, 0.5)], [54, 2980, 21600]);
        assert_eq!(seconds(0, 0.5), 2);
    }
}
