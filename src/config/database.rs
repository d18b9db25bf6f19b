//! `gatehouse.database:`

use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;

/// `gatehouse.database:`, where and how much.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSettings {
    /// The PostgreSQL database, as a URL of libpq's: several hosts may be named with commas between them, and
    /// `target_session_attrs` says which of them will do. `DATABASE_URL` in the environment is another name of this
    /// key.
    #[schemars(
        with = "String",
        regex(pattern = r"^postgres(ql)?://"),
        extend("examples" = ["postgres://gatehouse@localhost/gatehouse"])
    )]
    pub url: SecretString,
    /// The same database past its pooler, where `url` leads to one that hands out connections a transaction at a time,
    /// such as `PgBouncer`: for what needs a session of its own, such as listening for jobs.
    #[schemars(
        with = "Option<String>",
        regex(pattern = r"^postgres(ql)?://"),
        extend("examples" = ["postgres://gatehouse@localhost:5432/gatehouse"])
    )]
    pub direct_url: Option<SecretString>,
    /// Standbys of the database, as URLs. What decides a fetch is read from one of them that has caught up with the
    /// primary, and from the primary where none has.
    #[schemars(with = "Vec<String>", length(max = 16))]
    pub replicas: Vec<SecretString>,
    /// While the primary cannot be reached, fetches are decided by a standby that is behind by so many seconds at most;
    /// 0 for never.
    #[schemars(range(max = 86400))]
    pub stale_fetches: u32,
    /// The database takes no writes and is not meant to, as a standby: fetches and look-ups are answered, pushes and
    /// writes are refused, and this server runs no jobs and no migrations.
    pub read_only: bool,
    /// Connections of each area at most, besides those of `access_connections`. Whoever uses up an area's waits alone.
    pub connections: ConnectionBudgets,
    /// Connections that answer `/allowed` alone. Attempts that come while all are busy share a statement.
    #[schemars(range(min = 1, max = 64))]
    pub access_connections: u32,
    /// Seconds that a request waits for the database before it is answered 503.
    #[schemars(range(min = 1, max = 60))]
    pub acquire_timeout: u32,
    /// Seconds after which PostgreSQL gives up a statement that a client waits for. Commands, and what the server does
    /// by itself, may take six times as long.
    #[schemars(range(min = 1, max = 3600))]
    pub statement_timeout: u32,
    /// Seconds that a statement waits for what another transaction holds before it is answered 503.
    #[schemars(range(min = 1, max = 3600))]
    pub lock_timeout: u32,
}

/// `gatehouse.database.connections:`, a budget for each area. Small ones are faster.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionBudgets {
    /// What gitlab-shell looks up beside `/allowed`, and the credentials that users ask for over SSH.
    #[schemars(range(min = 1, max = 1000))]
    pub lookups: u32,
    /// The rules, counters and reports of pushes.
    #[schemars(range(min = 1, max = 1000))]
    pub pushes: u32,
    /// Administrators and CustomersDot.
    #[schemars(range(min = 1, max = 1000))]
    pub provisioning: u32,
    /// Identity providers.
    #[schemars(range(min = 1, max = 1000))]
    pub scim: u32,
    /// The Kubernetes agent server; two of them write its reports of usage.
    #[schemars(range(min = 3, max = 1000))]
    pub kubernetes: u32,
    /// What the server does by itself, beside the queue of jobs.
    #[schemars(range(min = 1, max = 1000))]
    pub upkeep: u32,
}

impl Default for ConnectionBudgets {
    fn default() -> Self {
        Self { lookups: 4, pushes: 4, provisioning: 3, scim: 3, kubernetes: 4, upkeep: 2 }
    }
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: "postgres://gatehouse@localhost/gatehouse".into(),
            direct_url: None,
            replicas: Vec::new(),
            stale_fetches: 0,
            read_only: false,
            connections: ConnectionBudgets::default(),
            access_connections: 2,
            acquire_timeout: 3,
            statement_timeout: 5,
            lock_timeout: 5,
        }
    }
}

impl DatabaseSettings {
    /// How long a request waits for the database.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.acquire_timeout.into())
    }
}
