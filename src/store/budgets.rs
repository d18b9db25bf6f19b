//! The connections of a server, in budgets: whoever uses up the connections of one area waits alone.

use std::time::Duration;

use sqlx::PgPool;

use super::Result;
use super::db::{Db, WaitTerms};
use super::replicas::Replicas;
use crate::config::Settings;

/// How long a push waits for a connection: longer than others, for git has sent everything by then, and short enough for
/// its user, who waits for a statement after that.
const PATIENCE: Duration = Duration::from_secs(4);

/// A budget for each area that is not to wait for the others.
#[derive(Debug, Clone)]
pub struct DbBudgets {
    /// The facts of `/allowed`.
    pub access: Db,
    /// Where facts of fetches may come from beside that.
    pub replicas: Option<Replicas>,
    /// What gitlab-shell and Gitaly look up beside that, and the credentials that users ask for over SSH.
    pub lookups: Db,
    /// Pushes: what their rules ask, their counters and reports. They wait for longer than others.
    pub pushes: Db,
    /// Administrators and CustomersDot: provisioning and tokens.
    pub provisioning: Db,
    /// Identity providers.
    pub scim: Db,
    /// kas, and agents through it.
    pub kubernetes: Db,
    /// What this server does by itself: notes of who was seen, expiry, seats, figures.
    pub upkeep: Db,
}

impl DbBudgets {
    /// Connections for all areas, made when they are first used.
    pub fn new(settings: &Settings) -> Result<Self> {
        let database = &settings.gatehouse.database;
        let connections = &database.connections;
        let usual = WaitTerms::of(database);
        // These find single rows; who waits longer for one than for a connection waits in vain.
        let quick =
            WaitTerms { statement: usual.statement.min(usual.patience), lock: usual.lock.min(usual.patience), ..usual };
        let push = Duration::from_secs(settings.gatehouse.limits.push_check_timeout.into()).min(PATIENCE);
        // Where one statement finds a silent connection, there is time for another.
        let patient = WaitTerms { patience: push, statement: usual.statement.min(push / 3), ..usual };
        let budget = |name, connections, terms| Db::with(database, connections, terms, name);
        Ok(Self {
            access: budget("access", database.access_connections, quick)?,
            replicas: Replicas::new(database)?,
            lookups: budget("lookups", connections.lookups, quick)?,
            pushes: budget("pushes", connections.pushes, patient)?,
            provisioning: budget("provisioning", connections.provisioning, usual)?,
            scim: budget("scim", connections.scim, usual)?,
            kubernetes: budget("kubernetes", connections.kubernetes, usual)?,
            upkeep: budget("upkeep", connections.upkeep, WaitTerms::unhurried(database))?,
        })
    }

    /// All areas over one pool that exists.
    #[must_use]
    pub fn over(pool: PgPool, settings: &Settings) -> Self {
        let db = Db::from(pool).on_terms(WaitTerms::of(&settings.gatehouse.database));
        Self {
            access: db.clone(),
            replicas: None,
            lookups: db.clone(),
            pushes: db.clone(),
            provisioning: db.clone(),
            scim: db.clone(),
            kubernetes: db.clone(),
            upkeep: db,
        }
    }

    /// Each budget and its name.
    #[must_use]
    pub fn each(&self) -> [(&'static str, &Db); 7] {
        [
            ("access", &self.access),
            ("lookups", &self.lookups),
            ("pushes", &self.pushes),
            ("provisioning", &self.provisioning),
            ("scim", &self.scim),
            ("kubernetes", &self.kubernetes),
            ("upkeep", &self.upkeep),
        ]
    }

    /// Ends all connections.
    pub async fn close(&self) {
        let replicas = self
            .replicas
            .iter()
            .flat_map(|replicas| replicas.each().iter().map(|replica| &replica.db).chain([&replicas.primary]));
        for db in self.each().into_iter().map(|(_, db)| db).chain(replicas) {
            db.close(Duration::from_secs(5)).await;
        }
    }
}
