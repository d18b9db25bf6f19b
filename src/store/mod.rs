//! Where SQL lives: a file per table family, a function per query.

pub mod broadcast_messages;
pub mod derived;
pub mod error_tracking;
pub mod ids;
pub mod keys;
pub mod members;
pub mod namespaces;
pub mod plans;
pub mod projects;
pub mod protected_refs;
pub mod push_rules;

pub mod settings;
pub mod tokens;
pub mod users;

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
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
