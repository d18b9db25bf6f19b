//! Where SQL lives: a file per table family, a function per query.

pub mod access_facts;
pub mod access_lists;
pub mod access_refusals;
pub mod access_tokens;
pub mod actor_levels;
pub mod actors;
pub mod add_on_purchases;
pub mod admin;
pub mod admin_sessions;
pub mod agent_authorizations;
pub mod agent_projects;
pub mod agent_tokens;
pub mod agents;
pub mod alerts;
pub mod audit_events;
pub mod broadcast_messages;
pub mod budgets;
pub mod db;
pub mod default_branches;
pub mod deletion_marks;
pub mod deletions;
pub mod deploy_keys;
pub mod deploy_tokens;
pub mod derived;
pub mod drift;
pub mod error_tracking;
pub mod events;
pub mod exports;
pub mod fault;
pub mod forks;
pub mod git_auth_failures;
pub mod group_features;
pub mod group_members;
pub mod group_ssh_certificates;
pub mod heartbeats;
pub mod idempotent_responses;
pub mod ids;
pub mod jobs;
pub mod kas_events;
pub mod kas_usage;
pub mod kept_settings;
pub mod keys;
pub mod last_used;
pub mod ledger;
pub mod level_paths;
pub mod lfs;
pub mod lfs_locks;
pub mod lfs_objects;
pub mod lfs_pending_uploads;
pub mod locks;
pub mod member_facts;
pub mod members;
pub mod merge_requests;
pub mod migrate;
pub mod minutes_packs;
pub mod namespace_facts;
pub mod namespace_limits;
pub mod namespaces;
pub mod oauth_tokens;
pub mod otp_sessions;
pub mod paging;
pub mod plans;
pub mod post_push_messages;
pub mod project_creation;
pub mod project_statistics;
pub mod projects;
pub mod protected_refs;
pub mod protections;
pub mod provisioned_namespaces;
pub mod push_facts;
pub mod push_message_facts;
pub mod push_rules;
pub mod pushed_projects;
pub mod received_pushes;
pub mod reconciliations;
pub mod reference_counters;
pub mod removed_repositories;
pub mod replicas;
pub mod replication;
pub mod repositories;
pub mod requesters;
pub mod rest;
pub mod role;
pub mod saml_group_links;
pub mod scim_calls;
pub mod scim_groups;
pub mod scim_identities;
pub mod scim_member_syncs;
pub mod scim_search;
pub mod scim_tokens;
pub mod scim_users;
pub mod seats;
pub mod secret_expiry;
pub mod security_policies;
pub mod sets;
pub mod settings;
pub mod shares;
pub mod snippets;
pub mod storage_exclusions;
pub mod subscriptions;
pub mod tokens;
pub mod two_factor;
pub mod users;
pub mod vulnerabilities;
pub mod web_hooks;

use std::time::Instant;

use sqlx::PgExecutor;
use sqlx::migrate::Migrator;
use tokio::time::timeout;

pub use self::budgets::DbBudgets;
pub use self::db::{Connection, Db, Transaction};
use self::fault::StatementFault;
pub use self::migrate::migrate;
pub use self::replicas::Replicas;
pub use self::role::prepare;

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
    /// No connection could be had in time, or the one there was broke, or the database is in no state to answer.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// Others were in the way for too long, and nothing was done.
    #[error("the database is busy: {0}")]
    Busy(#[source] sqlx::Error),
    /// A commit, or a write by itself, got no answer: all of it has happened, or nothing.
    #[error("the database did not say whether it committed: {0}")]
    Unknown(#[source] sqlx::Error),
    /// The database takes no writes, and is declared to take none.
    #[error("the database takes no writes: gatehouse.database.read_only says so")]
    ReadOnly,
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
            // A row that was to be referred to and is gone.
            Self::Query(sqlx::Error::Database(error)) => error.code().as_deref() == Some("23503"),
            Self::Busy(_) => self.is_passing(),
            Self::Query(_) | Self::Unavailable(_) | Self::Unknown(_) | Self::ReadOnly => false,
        }
    }

    /// Whether a row that was needed was removed meanwhile, or one that was to be referred to.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Query(sqlx::Error::RowNotFound) => true,
            Self::Query(sqlx::Error::Database(error)) => error.code().as_deref() == Some("23503"),
            _ => false,
        }
    }

    /// Whether the database ended the transaction because it and another one waited for each other. The same again
    /// succeeds.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        let Self::Busy(sqlx::Error::Database(error)) = self else { return false };
        matches!(error.code().as_deref(), Some("40001" | "40P01"))
    }

    /// Whether a transaction ended by no fault of its own before anything came of it: its connection was lost, or
    /// another one was preferred. The same again is right, at once.
    #[must_use]
    pub fn is_undone(&self) -> bool {
        match self {
            Self::Unavailable(error) => !fault::is_unreachable(error),
            Self::Duplicate(_) | Self::Busy(_) | Self::Unknown(_) | Self::Query(_) | Self::ReadOnly => {
                self.is_passing()
            }
        }
    }

    /// Whether the database is to blame, or others who use it, and not what was asked of it.
    #[must_use]
    pub fn is_about_the_database(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_) | Self::Unknown(_))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if fault::is_undetermined(&error) {
            return Self::Unknown(error);
        }
        if fault::is_declared_read_only(&error) {
            return Self::ReadOnly;
        }
        match StatementFault::of(&error) {
            StatementFault::NotExecuted | StatementFault::Unanswered => Self::Unavailable(error),
            StatementFault::Contention => Self::Busy(error),
            StatementFault::Statement => match &error {
                sqlx::Error::Database(database) if database.code().as_deref() == Some("23505") => {
                    Self::Duplicate(database.constraint().unwrap_or("a unique index").to_owned())
                }
                _ => Self::Query(error),
            },
        }
    }
}

/// What comes of a transaction that may be made twice without harm: made again as long as its connection is lost or
/// others are in its way, and given up where the database falls silent in the middle. In all it takes no longer than a
/// connection and a statement may.
pub async fn settled<T, F>(db: &Db, unit: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let begun = Instant::now();
    let (give_up, end) = (begun + db.terms().patience, begun + db.terms().whole());
    let mut pauses = db::RetryPauses::default();
    loop {
        let answer = timeout(end.saturating_duration_since(Instant::now()), unit()).await;
        match answer.unwrap_or_else(|_| Err(Error::Unavailable(fault::silence()))) {
            Err(error) if error.is_undone() || matches!(error, Error::Unknown(_) | Error::Busy(_)) => {
                if !pauses.before(give_up).await {
                    return Err(error);
                }
            }
            answer => return answer,
        }
    }
}

/// What is said of work that the database fell silent about: all of it has happened, or nothing.
#[must_use]
pub fn silence() -> Error {
    Error::Unknown(fault::silence())
}

/// What is said of a write to a database that takes none for a moment.
#[must_use]
pub fn read_only() -> Error {
    Error::Unavailable(fault::read_only())
}

/// Whether the database takes no writes.
async fn is_read_only(db: impl PgExecutor<'_>) -> Result<bool> {
    let read_only = sqlx::query_scalar!(r#"select current_setting('transaction_read_only') = 'on' as "read_only!""#);
    Ok(read_only.fetch_one(db).await?)
}

/// Whether the database takes writes.
pub async fn is_writable(db: impl PgExecutor<'_>) -> Result<bool> {
    Ok(!is_read_only(db).await?)
}

/// The names of the storages that hold projects.
pub async fn list_storages(db: &Db) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!("select distinct repository_storage from projects order by repository_storage")
        .fetch_all(db.pool())
        .await?)
}

/// One round trip to the database.
pub async fn ping(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!(r#"select 1 as "one!""#).fetch_one(db).await?;
    Ok(())
}
