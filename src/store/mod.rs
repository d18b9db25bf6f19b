//! Where SQL lives: a file per table family, a function per query.

pub mod access_facts;
pub mod actors;
pub mod add_on_purchases;
pub mod agent_authorizations;
pub mod agent_projects;
pub mod agent_tokens;
pub mod agents;
pub mod alerts;
pub mod askers;
pub mod audit_events;
pub mod broadcast_messages;
pub mod derived;
pub mod drift;
pub mod error_tracking;
pub mod events;
pub mod gather;
pub mod group_ssh_certificates;
pub mod heartbeats;
pub mod idempotent_responses;
pub mod ids;
pub mod jobs;
pub mod kas_events;
pub mod kas_usage;
pub mod keys;
pub mod ledger;
pub mod lfs;
pub mod locks;
pub mod members;
pub mod merge_requests;
pub mod minutes_packs;
pub mod namespaces;
pub mod otp_sessions;
pub mod plans;
pub mod post_push_messages;
pub mod project_creation;
pub mod projects;
pub mod protected_refs;
pub mod provisioned_namespaces;
pub mod push_facts;
pub mod push_message_facts;
pub mod push_rules;
pub mod pushed_projects;
pub mod received_pushes;
pub mod reconciliations;
pub mod reference_counters;
pub mod scim;
pub mod scim_groups;
pub mod scim_provisioning;
pub mod scim_search;
pub mod scim_tokens;
pub mod seats;
pub mod security_policies;
pub mod settings;
pub mod snippets;
pub mod storage_exclusions;
pub mod subscriptions;
pub mod tokens;
pub mod touches;
pub mod two_factor;
pub mod users;
pub mod vulnerabilities;
pub mod web_hooks;

use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use crate::config::Database;

/// The schema, oldest step first.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// What a query function answers with.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a query gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique constraint was hit; the name is the constraint's.
    #[error("{0} holds such a row already")]
    Duplicate(String),
    /// No connection could be had in time, or the one there was broke.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Anything else that PostgreSQL or the driver said.
    #[error("a query failed: {0}")]
    Query(#[source] sqlx::Error),
}

impl Error {
    /// Whether another writer was faster, so that the same transaction may find another answer.
    #[must_use]
    pub fn is_lost_race(&self) -> bool {
        match self {
            Self::Duplicate(_) => true,
            // Not serializable, a deadlock, or a row that was to be referred to and is gone.
            Self::Query(sqlx::Error::Database(error)) => {
                matches!(error.code().as_deref(), Some("40001" | "40P01" | "23503"))
            }
            Self::Query(_) | Self::Unavailable(_) => false,
        }
    }

    /// Whether the statement took too long, as one does that waits for another writer.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        let Self::Query(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("57014" | "55P03"))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(database) => match database.code().as_deref() {
                Some("23505") => Self::Duplicate(database.constraint().unwrap_or("a unique index").to_owned()),
                // Shutting down, crashed, starting up, too many connections.
                Some("57P01" | "57P02" | "57P03" | "53300") => Self::Unavailable(error),
                _ => Self::Query(error),
            },
            _ => Self::Query(error),
        }
    }
}

impl Error {
    /// Whether the database ended the transaction because it and another one waited for each other. The same again
    /// succeeds.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Query(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }
}

/// The pool of connections.
#[derive(Debug, Clone)]
pub struct Db(PgPool);

impl Db {
    /// A pool that connects when it is first used.
    ///
    /// # Errors
    /// Where the URL cannot be read.
    pub fn new(settings: &Database) -> Result<Self> {
        Ok(Self(pool(settings, settings.pool_size)?))
    }

    /// A pool of this many connections, beside the one that answers clients.
    ///
    /// # Errors
    /// Where the URL cannot be read.
    pub fn beside(settings: &Database, connections: u32) -> Result<Self> {
        Ok(Self(pool(settings, connections)?))
    }

    /// The pool itself, for queries that stand alone.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0
    }

    /// A transaction, rolled back unless it is committed.
    ///
    /// # Errors
    /// Where no connection can be had in time.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        Ok(self.0.begin().await?)
    }
}

impl From<PgPool> for Db {
    fn from(pool: PgPool) -> Self {
        Self(pool)
    }
}

/// Applies the migrations that the database lacks, and names them. A database that takes no writes must lack none.
///
/// # Errors
/// Where the database does not answer, or a migration fails or was changed after it was applied.
pub async fn migrate(db: &Db) -> anyhow::Result<Vec<String>> {
    let before = list_applied(db).await?;
    let lacking: Vec<_> = MIGRATIONS.iter().filter(|step| !before.contains(&step.version)).collect();
    if lacking.is_empty() && is_read_only(db).await? {
        tracing::warn!("the database takes no writes; its schema is up to date");
        return Ok(Vec::new());
    }
    MIGRATIONS.run(db.pool()).await?;
    jobs::migrate(db).await?;
    Ok(lacking.iter().map(|step| format!("{:04} {}", step.version, step.description)).collect())
}

async fn list_applied(db: &Db) -> Result<Vec<i64>> {
    let exists = sqlx::query_scalar!(r#"select to_regclass('_sqlx_migrations') is not null as "exists!""#);
    if !exists.fetch_one(db.pool()).await? {
        return Ok(Vec::new());
    }
    // Not checked at build time: the table is the migrator's own, and not part of the schema that builds know.
    let versions = sqlx::query_scalar("select version from _sqlx_migrations where success");
    Ok(versions.fetch_all(db.pool()).await?)
}

async fn is_read_only(db: &Db) -> Result<bool> {
    let read_only = sqlx::query_scalar!(r#"select current_setting('transaction_read_only') = 'on' as "read_only!""#);
    Ok(read_only.fetch_one(db.pool()).await?)
}

/// The names of the storages that hold projects.
///
/// # Errors
/// Where the database does not answer.
pub async fn list_storages(db: &Db) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!("select distinct repository_storage from projects order by repository_storage")
        .fetch_all(db.pool())
        .await?)
}

/// One round trip to the database.
///
/// # Errors
/// Where the database does not answer.
pub async fn ping(db: &Db) -> Result<()> {
    sqlx::query!(r#"select 1 as "one!""#).fetch_one(db.pool()).await?;
    Ok(())
}

fn pool(settings: &Database, size: u32) -> Result<PgPool> {
    let options: PgConnectOptions = settings.url.expose_secret().parse()?;
    let statement_timeout = format!("{}s", settings.statement_timeout);
    // Plans are made once a statement and connection: every hot query finds single rows by index, whatever the values.
    let options = options.application_name("gatehouse").options([
        ("statement_timeout", statement_timeout.as_str()),
        ("plan_cache_mode", "force_generic_plan"),
        ("jit", "off"),
        ("timezone", "UTC"),
    ]);
    let options = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(settings.patience())
        .idle_timeout(Duration::from_mins(10))
        // A ping before each use costs a round trip; a broken connection shows itself at its next query.
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok(options)
}
