//! The database as the rest of the code sees it: connections that may break at any moment, and work that does not
//! notice.
//!
//! - A statement by itself runs on `&Db`. Where its connection turns out dead, the statement runs again on a fresh one.
//!   If nobody knows whether it was executed, it runs again in a transaction that may only read: what reads is
//!   answered, and what would write is refused by PostgreSQL itself. So nothing is ever done twice, and no call needs
//!   to say what it is.
//! - A transaction finds out whether its connection lives by its `begin`, before anything is done. What fails before
//!   the commit has not happened, and its error says so ([`super::Error::is_undone`]); a commit without an answer is
//!   [`super::Error::Unknown`].
//! - Everything has a deadline on this side, for a connection can be open and silent.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::ExposeSecret;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTransactionManager, PgTypeInfo,
};
use sqlx::{Connection as _, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use sqlx_core::transaction::TransactionManager;
use tokio::time::{sleep, timeout};

use super::fault::{self, StatementFault};
use super::{Error, Result};
use crate::config::DatabaseSettings;

/// A connection that lay idle for longer is asked whether it lives before it is used. Busier ones show it by
/// themselves.
const IDLE: Duration = Duration::from_millis(100);
/// How long the question may take whether a connection lives.
const PING: Duration = Duration::from_secs(1);
/// How long giving a connection back may take before it is thrown away.
const RETURN: Duration = Duration::from_secs(2);
/// How much longer than PostgreSQL we wait for a statement: its own word about it is the better one.
const MARGIN: Duration = Duration::from_millis(500);
/// The longest that the pool waits by itself; what is longer waits in turns of it. Its own pauses between two attempts
/// to connect grow to a fifth of this.
const TURN: Duration = Duration::from_secs(2);

/// How long work waits.
#[derive(Debug, Clone, Copy)]
pub struct WaitTerms {
    /// For a connection, and for another attempt on a fresh one.
    pub patience: Duration,
    /// For the answer to a statement.
    pub statement: Duration,
    /// For a lock that another transaction holds.
    pub lock: Duration,
}

impl WaitTerms {
    /// What holds where nothing else is said.
    #[must_use]
    pub fn of(settings: &DatabaseSettings) -> Self {
        Self {
            patience: settings.patience(),
            statement: Duration::from_secs(settings.statement_timeout.into()),
            lock: Duration::from_secs(settings.lock_timeout.into()),
        }
    }

    pub(crate) fn deadline(self) -> Duration {
        self.statement + MARGIN
    }
}

/// A budget of connections. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    terms: WaitTerms,
    repeatable: bool,
    free: DbHealth,
}

impl From<PgPool> for Db {
    fn from(pool: PgPool) -> Self {
        Self::over(pool, WaitTerms::of(&DatabaseSettings::default()))
    }
}

impl Db {
    /// A few connections for a command, made when they are first used.
    pub fn new(settings: &DatabaseSettings) -> Result<Self> {
        Self::beside(settings, settings.connections.upkeep.max(2))
    }

    /// A budget of this many connections.
    pub fn beside(settings: &DatabaseSettings, connections: u32) -> Result<Self> {
        Self::with(settings, connections, WaitTerms::of(settings), "other")
    }

    /// A budget of this many connections, on these terms.
    pub(super) fn with(
        settings: &DatabaseSettings,
        connections: u32,
        terms: WaitTerms,
        name: &'static str,
    ) -> Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(terms.patience.min(TURN))
            .idle_timeout(Duration::from_mins(10))
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move { Ok(meta.idle_for < IDLE || is_alive(connection).await) })
            })
            .connect_lazy_with(session(settings, terms)?);
        Ok(Self { free: DbHealth::new(NONE_FREE, name), ..Self::over(pool, terms) })
    }

    /// A budget over a pool that exists.
    #[must_use]
    pub fn over(pool: PgPool, terms: WaitTerms) -> Self {
        Self { pool, terms, repeatable: false, free: DbHealth::new(NONE_FREE, "other") }
    }

    /// What statements by themselves run on.
    #[must_use]
    pub fn pool(&self) -> &Self {
        self
    }

    /// The same connections, for statements that may be executed twice without harm: they run again also where nobody
    /// knows whether they were executed.
    #[must_use]
    pub fn repeatable(&self) -> Self {
        Self { repeatable: true, ..self.clone() }
    }

    /// How long work waits here.
    #[must_use]
    pub fn terms(&self) -> WaitTerms {
        self.terms
    }

    /// Connections that are open, and those of them that nobody uses now.
    #[must_use]
    pub fn count(&self) -> (u32, u32) {
        (self.pool.size(), u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX))
    }

    /// The pool, for a library that wants one.
    pub(super) fn raw(&self) -> &PgPool {
        &self.pool
    }

    /// Where and how connections are made.
    pub(crate) fn options(&self) -> PgConnectOptions {
        (*self.pool.connect_options()).clone()
    }

    /// Ends all connections; those in use as soon as they are given back, and none is waited for longer than this.
    pub async fn close(&self, patience: Duration) {
        let _ = timeout(patience, self.pool.close()).await;
    }

    /// A connection for some statements in a row, none of which is repeated.
    ///
    /// # Errors
    /// Where none can be had in time.
    pub async fn acquire(&self) -> Result<Connection> {
        Ok(self.connection(Instant::now() + self.terms.patience).await?)
    }

    /// A transaction, rolled back unless it is committed.
    ///
    /// # Errors
    /// Where no connection that lives can be had in time.
    pub async fn begin(&self) -> Result<Transaction> {
        self.begin_with("begin").await
    }

    /// A transaction that begins with this statement.
    ///
    /// # Errors
    /// Where no connection that lives can be had in time.
    pub async fn begin_with(&self, statement: &'static str) -> Result<Transaction> {
        let give_up = Instant::now() + self.terms.patience;
        let mut pauses = RetryPauses::default();
        loop {
            let mut connection = self.connection(give_up).await?;
            match self.in_time(begin(&mut connection, statement)).await {
                Ok(()) => return Ok(Transaction { connection, deadline: self.terms.deadline(), open: true }),
                Err(error) if StatementFault::of(&error).ends_connection() => {
                    connection.discard();
                    if !pauses.before(give_up).await {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A connection; attempts to make one go on until it is time to give up.
    pub(super) async fn connection(&self, give_up: Instant) -> std::result::Result<Connection, sqlx::Error> {
        let mut pauses = RetryPauses::default();
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let error = match timeout(left, self.pool.acquire()).await {
                Ok(Ok(connection)) => {
                    REACHABLE.is_well();
                    self.free.is_well();
                    return Ok(Connection(Some(connection)));
                }
                Ok(Err(sqlx::Error::PoolClosed)) => return Err(sqlx::Error::PoolClosed),
                Ok(Err(error)) => error,
                Err(_) => sqlx::Error::PoolTimedOut,
            };
            match error {
                sqlx::Error::PoolTimedOut if self.pool.num_idle() == 0 => self.free.is_ill(&error),
                _ => REACHABLE.is_ill(&error),
            }
            if !pauses.before(give_up).await {
                return Err(fault::unreachable(error));
            }
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, sqlx::Error>>,
    ) -> std::result::Result<T, sqlx::Error> {
        timeout(self.terms.deadline(), work).await.unwrap_or_else(|_| Err(fault::silence()))
    }

    async fn run(&self, statement: RepeatableStatement) -> std::result::Result<BufferedRows, sqlx::Error> {
        let give_up = Instant::now() + self.terms.patience;
        let mut pauses = RetryPauses::default();
        // The error after which nobody knew whether the statement was executed.
        let mut unanswered = None;
        loop {
            let mut connection = match self.connection(give_up).await {
                Ok(connection) => connection,
                Err(error) => return Err(unanswered.unwrap_or(error)),
            };
            let reads_only = unanswered.is_some() && !self.repeatable;
            let error = match self.in_time(statement.run(&mut connection, reads_only)).await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let fault = StatementFault::of(&error);
            if fault.ends_connection() {
                connection.discard();
            }
            match fault {
                // It writes, and may have done so.
                _ if reads_only && fault::is_read_only(&error) => {
                    return Err(fault::undetermined(unanswered.unwrap_or(error)));
                }
                StatementFault::Statement | StatementFault::Contention => return Err(error),
                StatementFault::NotExecuted | StatementFault::Unanswered => {}
            }
            if fault == StatementFault::Unanswered {
                unanswered.get_or_insert(error);
                if !pauses.before(give_up).await {
                    return Err(unanswered.unwrap_or(sqlx::Error::PoolTimedOut));
                }
            } else if !pauses.before(give_up).await {
                return Err(unanswered.unwrap_or(error));
            }
        }
    }
}

async fn begin(connection: &mut PgConnection, statement: &'static str) -> std::result::Result<(), sqlx::Error> {
    PgTransactionManager::begin(connection, Some(sqlx::SqlSafeStr::into_sql_str(statement))).await
}

async fn is_alive(connection: &mut PgConnection) -> bool {
    matches!(timeout(PING, connection.ping()).await, Ok(Ok(())))
}

type BufferedRows = Vec<Either<PgQueryResult, PgRow>>;

/// A statement with its values, to be run as often as needed.
struct RepeatableStatement {
    sql: SqlStr,
    arguments: Option<PgArguments>,
    persistent: bool,
}

impl RepeatableStatement {
    fn of<'q>(mut query: impl Execute<'q, Postgres>) -> std::result::Result<Self, sqlx::Error> {
        let arguments = query.take_arguments().map_err(sqlx::Error::Encode)?;
        let persistent = query.persistent();
        Ok(Self { sql: query.sql(), arguments, persistent })
    }

    async fn run(
        &self,
        connection: &mut PgConnection,
        reads_only: bool,
    ) -> std::result::Result<BufferedRows, sqlx::Error> {
        if !reads_only {
            return self.run_once(connection).await;
        }
        let mut transaction = connection.begin_with("begin read only").await?;
        let rows = self.run_once(&mut transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    async fn run_once(&self, connection: &mut PgConnection) -> std::result::Result<BufferedRows, sqlx::Error> {
        match &self.arguments {
            Some(arguments) => {
                let query = sqlx::query_with(self.sql.clone(), arguments.clone()).persistent(self.persistent);
                connection.fetch_many(query).try_collect().await
            }
            None => connection.fetch_many((self.sql.clone(), None::<PgArguments>)).try_collect().await,
        }
    }
}

impl<'p> Executor<'p> for &'p Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, std::result::Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = RepeatableStatement::of(query);
        let rows = async move { self.run(statement?).await };
        stream::once(rows).map_ok(|rows| stream::iter(rows).map(Ok)).try_flatten().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, std::result::Result<Option<PgRow>, sqlx::Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let statement = RepeatableStatement::of(query);
        Box::pin(async move { Ok(self.run(statement?).await?.into_iter().find_map(Either::right)) })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, std::result::Result<PgStatement, sqlx::Error>>
    where
        'p: 'e,
    {
        self.pool.prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, std::result::Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        self.pool.describe(sql)
    }
}

/// A connection on loan. Giving it back has an end too, for the pool asks it whether it lives, and that may be never
/// answered.
pub struct Connection(Option<PoolConnection<Postgres>>);

impl Connection {
    /// Not to be used by anybody again.
    pub fn discard(mut self) {
        if let Some(mut connection) = self.0.take() {
            connection.close_on_drop();
        }
    }
}

const ON_LOAN: &str = "the connection is there until it is given back";

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect(ON_LOAN)
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect(ON_LOAN)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Connection")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else { return };
        let returned = connection.return_to_pool();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(timeout(RETURN, returned));
        }
    }
}

/// A transaction, rolled back unless it is committed.
#[derive(Debug)]
pub struct Transaction {
    connection: Connection,
    deadline: Duration,
    open: bool,
}

impl Transaction {
    /// Makes everything true that was done in it.
    ///
    /// # Errors
    /// [`Error::Unknown`] where the database did not say whether it did.
    pub async fn commit(mut self) -> Result<()> {
        let committed = timeout(self.deadline, PgTransactionManager::commit(&mut self.connection)).await;
        let error = match committed.unwrap_or_else(|_| Err(fault::silence())) {
            Ok(()) => {
                self.open = false;
                return Ok(());
            }
            Err(error) => error,
        };
        if StatementFault::of(&error).ends_connection() {
            if let Some(mut connection) = self.connection.0.take() {
                connection.close_on_drop();
            }
            self.open = false;
            return Err(Error::Unknown(error));
        }
        Err(error.into())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let Some(connection) = self.connection.0.take() else { return };
        let mut connection = Connection(Some(connection));
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        PgTransactionManager::start_rollback(&mut connection);
        // Who rolls back may have been refused by a server that takes no writes any more; a fresh connection finds the one
        // that does.
        runtime.spawn(async move {
            match timeout(RETURN, super::is_read_only(&mut *connection)).await {
                Ok(Ok(false)) => drop(connection),
                Ok(Ok(true) | Err(_)) | Err(_) => connection.discard(),
            }
        });
    }
}

/// The pauses between attempts: each about twice the one before it, and by chance a little different, for what was lost
/// together would be tried again together.
#[derive(Debug)]
pub struct RetryPauses {
    next: Duration,
    longest: Duration,
}

impl Default for RetryPauses {
    fn default() -> Self {
        Self::up_to(Duration::from_millis(500))
    }
}

impl RetryPauses {
    /// Pauses that grow up to this.
    #[must_use]
    pub fn up_to(longest: Duration) -> Self {
        Self { next: Duration::from_millis(10), longest }
    }

    /// The next one, longer than the one before it.
    pub fn longer(&mut self) -> Duration {
        let pause = self.next.mul_f64(rand::random_range(0.5..1.0));
        self.next = (2 * self.next).min(self.longest);
        pause
    }

    /// Waits for the next one; false, and at once, where that would be too late.
    pub async fn before(&mut self, give_up: Instant) -> bool {
        let pause = self.longer();
        if Instant::now() + pause >= give_up {
            return false;
        }
        sleep(pause).await;
        true
    }
}

/// Whether the database can be reached: one database, whichever budget notices.
static REACHABLE: LazyLock<DbHealth> = LazyLock::new(|| DbHealth::new("the database is not available", "all"));
/// What is said of a budget when it gives no connection.
const NONE_FREE: &str = "no connection could be had in time: all are in use, or the database is silent";
/// Well again is what showed no fault for this long.
const RELAPSE: Duration = Duration::from_secs(1);

/// What an operator is told once when it begins and once when it is over, however many notice.
#[derive(Debug, Clone)]
struct DbHealth {
    complaint: &'static str,
    budget: &'static str,
    ill: Arc<Mutex<Option<DbIllness>>>,
}

#[derive(Debug)]
struct DbIllness {
    since: Instant,
    seen: Instant,
}

impl DbHealth {
    fn new(complaint: &'static str, budget: &'static str) -> Self {
        Self { complaint, budget, ill: Arc::default() }
    }

    fn is_ill(&self, error: &sqlx::Error) {
        metrics::counter!("gatehouse_pool_failures_total", "pool" => self.budget).increment(1);
        let now = Instant::now();
        let mut ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(illness) = &mut *ill {
            illness.seen = now;
        } else {
            *ill = Some(DbIllness { since: now, seen: now });
            tracing::warn!(budget = self.budget, %error, "{}", self.complaint);
        }
    }

    fn is_well(&self) {
        let mut ill = self.ill.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(over) = ill.take_if(|illness| illness.seen.elapsed() >= RELAPSE) {
            let seconds = over.since.elapsed().as_secs_f64();
            tracing::info!(budget = self.budget, seconds, "no more: {}", self.complaint);
        }
    }
}

fn session(settings: &DatabaseSettings, terms: WaitTerms) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(settings.url.expose_secret())?;
    Ok(options.application_name("gatehouse").options([
        // Plans are made once a statement and connection: every hot query finds single rows by index, whatever the values.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("statement_timeout", format!("{}ms", terms.statement.as_millis())),
        ("lock_timeout", format!("{}ms", terms.lock.as_millis())),
        // PostgreSQL notices that we are gone, so that our locks go with us.
        ("tcp_keepalives_idle", "15".to_owned()),
        ("tcp_user_timeout", "30s".to_owned()),
    ]))
}
