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

mod connector;
mod health;
mod loan;
mod retry;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{Pool, PoolConfig, PoolError, QueueMode, TimeoutType, Timeouts};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use secrecy::SecretString;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgPoolOptions, PgQueryResult, PgRow, PgStatement, PgTransactionManager, PgTypeInfo,
};
use sqlx::{
    AssertSqlSafe, Connection as _, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlSafeStr as _, SqlStr,
};
use sqlx_core::transaction::TransactionManager;
use tokio::time::timeout;

pub use self::connector::DatabaseAddress;
use self::connector::{Connector, SessionAttributes};
use self::health::{DbHealth, NONE_FREE, REACHABLE};
pub use self::loan::{Connection, Transaction};
pub use self::retry::RetryPauses;
use super::fault::{self, StatementFault};
use super::{Error, Result};
use crate::config::DatabaseSettings;

/// How much longer than PostgreSQL we wait for a statement: its own word about it is the better one.
const MARGIN: Duration = Duration::from_millis(500);
/// How long making a connection may take, the pauses between attempts that fail included.
const CONNECT: Duration = Duration::from_secs(2);
/// A connection that nobody has used for so long is given up.
const UNUSED: Duration = Duration::from_mins(10);

/// What the budgets of all replicas are called.
const REPLICAS: &str = "replicas";

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

    /// What holds where no client waits.
    #[must_use]
    pub fn unhurried(settings: &DatabaseSettings) -> Self {
        let usual = Self::of(settings);
        Self { statement: 6 * usual.statement, ..usual }
    }

    pub(crate) fn deadline(self) -> Duration {
        self.statement + MARGIN
    }

    /// For a transaction in all, its connection included.
    #[must_use]
    pub fn whole(self) -> Duration {
        self.patience + self.deadline()
    }
}

/// A budget of connections. Clones share it.
#[derive(Debug, Clone)]
pub struct Db {
    pool: Pool<Connector>,
    /// Makes connections that are no transaction's but a session's.
    direct: Arc<Connector>,
    terms: WaitTerms,
    /// What a transaction says for itself after its first statement, where its session is not ours alone.
    opening: Option<Arc<str>>,
    repeatable: bool,
    read_only: bool,
    /// Whether what it leads to can be reached.
    reachable: DbHealth,
    free: DbHealth,
}

impl From<PgPool> for Db {
    /// A budget for the database of this pool, which ends with it.
    fn from(pool: PgPool) -> Self {
        let address = DatabaseAddress::from((*pool.connect_options()).clone());
        let db = Self::over(address.clone(), address, 10, WaitTerms::of(&DatabaseSettings::default()), "other");
        let connections = db.pool.clone();
        tokio::spawn(async move {
            pool.close_event().await;
            connections.close();
        });
        db
    }
}

impl Db {
    /// A few connections for a command, made when they are first used.
    pub fn new(settings: &DatabaseSettings) -> Result<Self> {
        Self::beside(settings, settings.connections.upkeep.max(2))
    }

    /// A budget of this many connections.
    pub fn beside(settings: &DatabaseSettings, connections: u32) -> Result<Self> {
        Self::with(settings, connections, WaitTerms::unhurried(settings), "other")
    }

    /// A budget of this many connections, on these terms.
    pub(super) fn with(
        settings: &DatabaseSettings,
        connections: u32,
        terms: WaitTerms,
        name: &'static str,
    ) -> Result<Self> {
        let role = if settings.read_only { SessionAttributes::Any } else { SessionAttributes::Primary };
        let address = DatabaseAddress::parse(&settings.url, role)?;
        let db = match &settings.direct_url {
            None => {
                let address = address.map(|host| session(host, terms));
                Self::over(address.clone(), address, connections, terms, name)
            }
            Some(direct) => {
                let direct = DatabaseAddress::parse(direct, role)?.map(|host| session(host, terms));
                let opening = format!(
                    "; set local statement_timeout = {}; set local lock_timeout = {}",
                    terms.statement.as_millis(),
                    terms.lock.as_millis()
                );
                let db = Self::over(address.map(pooled_session), direct, connections, terms, name);
                Self { opening: Some(opening.into()), ..db }
            }
        };
        Ok(Self { read_only: settings.read_only, ..db })
    }

    /// Connections to one of the database's standbys, whose statements read alone.
    pub(super) fn of_replica(url: &SecretString, connections: u32, terms: WaitTerms) -> Result<Self> {
        let address = DatabaseAddress::parse(url, SessionAttributes::Any)?.map(|host| session(host, terms));
        let db = Self::over(address.clone(), address, connections, terms, REPLICAS);
        Ok(Self {
            read_only: true,
            reachable: DbHealth::new("a replica of the database is not available", REPLICAS),
            ..db
        })
    }

    fn over(
        address: DatabaseAddress,
        direct: DatabaseAddress,
        connections: u32,
        terms: WaitTerms,
        name: &'static str,
    ) -> Self {
        let places = usize::try_from(connections).unwrap_or(usize::MAX);
        // The one that was used last is the likeliest to live, and knows the most statements; the others may go.
        let config = PoolConfig { queue_mode: QueueMode::Lifo, ..PoolConfig::new(places) };
        let pool = Pool::builder(Connector::new(address)).config(config).runtime(Runtime::Tokio1);
        let pool = pool.build().expect("a pool with time-outs has a runtime");
        let unused = pool.weak();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                while let Some(pool) = unused.upgrade() {
                    pool.retain(|session, _| session.free_since.elapsed() < UNUSED);
                    drop(pool);
                    tokio::time::sleep(UNUSED / 10).await;
                }
            });
        }
        let free = DbHealth::new(NONE_FREE, name);
        let direct = Arc::new(Connector::new(direct));
        Self {
            pool,
            direct,
            terms,
            opening: None,
            repeatable: false,
            read_only: false,
            reachable: REACHABLE.clone(),
            free,
        }
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

    /// The same connections, for work that waits so long.
    #[must_use]
    pub(super) fn on_terms(self, terms: WaitTerms) -> Self {
        Self { terms, ..self }
    }

    /// Whether the database is declared to take no writes.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// How long work waits here.
    #[must_use]
    pub fn terms(&self) -> WaitTerms {
        self.terms
    }

    /// Connections that are open, and those of them that nobody uses now.
    #[must_use]
    pub fn count(&self) -> (u32, u32) {
        let status = self.pool.status();
        let count = |connections: usize| u32::try_from(connections).unwrap_or(u32::MAX);
        (count(status.size), count(status.available))
    }

    /// How to make a connection of one's own, which is nobody else's between two transactions: what listens, and what
    /// holds locks for longer than a transaction.
    ///
    /// # Errors
    /// Where no host of the database will do.
    pub(crate) async fn session(&self) -> Result<PgConnectOptions> {
        Ok(self.direct.find().await.map_err(fault::unreachable)?)
    }

    /// A pool of one such connection, for a library that wants a pool.
    pub(super) async fn library_pool(&self) -> Result<PgPool> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(self.terms.patience);
        Ok(pool.connect_lazy_with(self.session().await?))
    }

    /// Ends all connections; those in use as soon as they are given back, and none is waited for longer than this.
    pub async fn close(&self, patience: Duration) {
        self.pool.close();
        let given_back = async {
            while self.pool.status().size > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(patience, given_back).await;
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
        if self.read_only {
            return Err(Error::ReadOnly);
        }
        self.begin_with("begin").await
    }

    /// A transaction that begins with this statement.
    ///
    /// # Errors
    /// Where no connection that lives can be had in time.
    pub async fn begin_with(&self, statement: &'static str) -> Result<Transaction> {
        let give_up = Instant::now() + self.terms.patience;
        let mut pauses = RetryPauses::default();
        let statement =
            self.opening.as_ref().map_or(Cow::Borrowed(statement), |then| format!("{statement}{then}").into());
        loop {
            let mut connection = self.connection(give_up).await?;
            match self.in_time(begin(connection.is_beginning(), &statement)).await {
                Ok(()) => {
                    connection.has_begun();
                    return Ok(Transaction::begun(connection, self.terms.deadline()));
                }
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
        // What was said when an attempt to connect failed, which tells more than that time is up.
        let mut refusal = None;
        loop {
            let left = give_up.saturating_duration_since(Instant::now());
            let timeouts = Timeouts { wait: Some(left), create: Some(CONNECT.min(left)), recycle: None };
            match timeout(left, self.pool.timeout_get(&timeouts)).await {
                Ok(Ok(session)) => {
                    self.reachable.is_well();
                    self.free.is_well();
                    return Ok(Connection::new(session));
                }
                Ok(Err(PoolError::Closed)) => return Err(sqlx::Error::PoolClosed),
                Ok(Err(PoolError::Backend(error))) => {
                    self.reachable.is_ill(&error);
                    refusal = Some(error);
                }
                Ok(Err(PoolError::Timeout(TimeoutType::Wait))) => self.free.is_ill(&sqlx::Error::PoolTimedOut),
                Ok(Err(_)) | Err(_) => self.reachable.is_ill(&fault::silence()),
            }
            if !pauses.before(give_up).await {
                return Err(fault::unreachable(refusal.unwrap_or(sqlx::Error::PoolTimedOut)));
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
            let ran = if reads_only {
                self.in_time(statement.run_reading(connection.is_beginning())).await
            } else {
                self.in_time(statement.run(&mut connection)).await
            };
            let error = match ran {
                Ok(rows) => {
                    connection.is_quiet();
                    return Ok(rows);
                }
                Err(error) => error,
            };
            let fault =
                if fault::is_aborted(&error) { StatementFault::NotExecuted } else { StatementFault::of(&error) };
            if fault.ends_connection() {
                connection.discard();
            }
            match fault {
                _ if self.read_only && fault::is_read_only(&error) => return Err(fault::declared_read_only()),
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

async fn begin(connection: &mut PgConnection, statement: &str) -> std::result::Result<(), sqlx::Error> {
    PgTransactionManager::begin(connection, Some(AssertSqlSafe(statement.to_owned()).into_sql_str())).await
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

    /// In a transaction that may only read.
    async fn run_reading(&self, connection: &mut PgConnection) -> std::result::Result<BufferedRows, sqlx::Error> {
        let mut transaction = connection.begin_with("begin read only").await?;
        let rows = self.run(&mut transaction).await?;
        transaction.commit().await?;
        Ok(rows)
    }

    async fn run(&self, connection: &mut PgConnection) -> std::result::Result<BufferedRows, sqlx::Error> {
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
        Box::pin(async move {
            let mut connection = self.connection(Instant::now() + self.terms.patience).await?;
            connection.prepare_with(sql, parameters).await
        })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, std::result::Result<sqlx::Describe<Postgres>, sqlx::Error>>
    where
        'p: 'e,
    {
        Box::pin(async move {
            let mut connection = self.connection(Instant::now() + self.terms.patience).await?;
            connection.describe(sql).await
        })
    }
}

/// A host whose sessions work on these terms.
fn session(host: PgConnectOptions, terms: WaitTerms) -> PgConnectOptions {
    host.application_name("gatehouse").options([
        // Plans are made once a statement and connection: every hot query finds single rows by index, whatever the values.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
        ("timezone", "UTC".to_owned()),
        ("statement_timeout", format!("{}ms", terms.statement.as_millis())),
        ("lock_timeout", format!("{}ms", terms.lock.as_millis())),
        // PostgreSQL notices that we are gone, so that our locks go with us.
        ("tcp_keepalives_idle", "15".to_owned()),
        ("tcp_user_timeout", "30s".to_owned()),
    ])
}

/// A host of a pooler, which hands a connection to the database out for a transaction: what a session is like is said by
/// each transaction, and for statements by themselves by what is set for the role ([`super::role`]).
fn pooled_session(host: PgConnectOptions) -> PgConnectOptions {
    host.application_name("gatehouse").extra_float_digits(None)
}

/// What sessions of the role are like whose pooler passes nothing on, for statements by themselves.
pub(super) fn role_settings(settings: &DatabaseSettings) -> [(&'static str, String); 4] {
    let terms = WaitTerms::of(settings);
    [
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        ("jit", "off".to_owned()),
        ("statement_timeout", format!("{}ms", terms.statement.as_millis())),
        ("lock_timeout", format!("{}ms", terms.lock.as_millis())),
    ]
}
