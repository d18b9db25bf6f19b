//! The facts of the access rules, for all attempts that wait at the same moment in one statement: from the primary, or
//! for fetches from a standby that knows as much.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::time::timeout;

use super::batcher::{BatchedQuery, Batcher};
use crate::config::DatabaseSettings;
use crate::domain::access::{AccessFacts, AccessSettings, AccessSubject, GitCommand};
use crate::store::replicas::{Replica, Replicas};
use crate::store::replication::WalPosition;
use crate::store::{Db, DbBudgets, Error, Result, access_facts};

/// How long the primary may say nothing before a standby answers in its place.
const UNTIL_STALE: Duration = Duration::from_millis(400);
/// How long a standby may take that has caught up: the primary would have answered by then.
const TURN: Duration = Duration::from_millis(100);
/// Standbys that are asked before the primary is.
const ASKED: usize = 2;

/// The loader of facts: attempts that wait at the same moment share one statement.
#[derive(Debug, Clone)]
pub struct AccessFactsBatcher {
    primary: Batcher<AccessFactsQuery>,
    /// For fetches.
    replicas: Option<ReplicaFacts>,
}

#[derive(Debug, Clone)]
struct ReplicaFacts {
    replicas: Replicas,
    /// As the primary would say it.
    current: Batcher<ReplicaFactsQuery>,
    /// One for each standby that may answer while the primary is away.
    stale: Vec<Batcher<StaleFactsQuery>>,
}

impl AccessFactsBatcher {
    /// A loader over this budget, all of whose connections `/allowed` may use.
    #[must_use]
    pub fn over(db: impl Into<Db>, database: &DatabaseSettings, settings: Arc<AccessSettings>) -> Self {
        let primary = Batcher::new(AccessFactsQuery(settings), db.into(), database.access_connections);
        Self { primary, replicas: None }
    }

    /// A loader over these budgets, which reads what concerns fetches from standbys where there are some.
    #[must_use]
    pub fn with_replicas(budgets: &DbBudgets, database: &DatabaseSettings, settings: &Arc<AccessSettings>) -> Self {
        let replicas = budgets.replicas.as_ref().map(|replicas| {
            let query = ReplicaFactsQuery { replicas: replicas.clone(), settings: Arc::clone(settings) };
            let stale = || StaleFactsQuery { replicas: replicas.clone(), settings: Arc::clone(settings) };
            let each = replicas.each().iter();
            ReplicaFacts {
                replicas: replicas.clone(),
                current: Batcher::new(query, replicas.primary.clone(), database.access_connections),
                stale: replicas.stale.map_or_else(Vec::new, |_| {
                    each.map(|replica| Batcher::new(stale(), replica.db.clone(), 1)).collect()
                }),
            }
        });
        Self { replicas, ..Self::over(budgets.access.clone(), database, Arc::clone(settings)) }
    }

    /// The facts about an attempt that is made `now`.
    ///
    /// # Errors
    /// Where the database does not answer in time.
    pub async fn load(&self, subject: AccessSubject, now: DateTime<Utc>) -> Result<AccessFacts> {
        match &self.replicas {
            Some(replicas) if subject.command == GitCommand::Download => replicas.load((subject, now)).await,
            _ => self.primary.load((subject, now)).await,
        }
    }

    /// The same, waited for as long as this: Gitaly asks once, and waits longer than gitlab-shell.
    ///
    /// # Errors
    /// Where the database does not answer in time.
    pub async fn load_within(
        &self,
        subject: AccessSubject,
        now: DateTime<Utc>,
        patience: Duration,
    ) -> Result<AccessFacts> {
        self.primary.load_within((subject, now), patience).await
    }
}

impl ReplicaFacts {
    async fn load(&self, request: (AccessSubject, DateTime<Utc>)) -> Result<AccessFacts> {
        if self.stale.is_empty() {
            return self.current.load(request).await;
        }
        let waited = match self.current.load_within(request.clone(), UNTIL_STALE).await {
            Err(Error::Unavailable(error)) => error,
            answer => return answer,
        };
        if self.replicas.primary_was_there(UNTIL_STALE) {
            // It is busy, and not away.
            return self.current.load(request).await;
        }
        for replica in self.replicas.in_turn() {
            match self.stale[replica.place].load(request.clone()).await {
                Ok(Some(facts)) => return Ok(facts),
                Ok(None) => {}
                Err(_) => replica.rest(),
            }
        }
        Err(Error::Unavailable(waited))
    }
}

fn count(source: &'static str, attempts: usize) {
    metrics::counter!("gatehouse_access_facts_total", "source" => source).increment(attempts.try_into().unwrap_or(0));
}

#[derive(Debug)]
struct AccessFactsQuery(Arc<AccessSettings>);

impl BatchedQuery for AccessFactsQuery {
    type Request = (AccessSubject, DateTime<Utc>);
    type Response = AccessFacts;
    const NAME: &'static str = "access_facts";

    async fn load(&self, connection: &mut PgConnection, attempts: &[Self::Request]) -> Result<Vec<AccessFacts>> {
        count("primary", attempts.len());
        access_facts::list(connection, attempts, &self.0, self.0.read_only).await
    }
}

/// Asks the primary for its position and a standby that has replayed it for the facts: whatever was so when the attempts
/// came, it knows.
#[derive(Debug)]
struct ReplicaFactsQuery {
    replicas: Replicas,
    settings: Arc<AccessSettings>,
}

impl BatchedQuery for ReplicaFactsQuery {
    type Request = (AccessSubject, DateTime<Utc>);
    type Response = AccessFacts;
    const NAME: &'static str = "replica_facts";

    async fn load(&self, primary: &mut PgConnection, attempts: &[Self::Request]) -> Result<Vec<AccessFacts>> {
        let position = self.replicas.position(primary).await?;
        for replica in self.replicas.in_turn().take(ASKED) {
            match timeout(TURN, self.ask(replica, &position, attempts)).await {
                Ok(Ok(Some(facts))) => {
                    count("replica", attempts.len());
                    return Ok(facts);
                }
                // It is behind, or what was asked is at fault, which the primary will say.
                Ok(Ok(None) | Err(Error::Query(_) | Error::Duplicate(_) | Error::Busy(_) | Error::ReadOnly)) => {}
                Ok(Err(Error::Unavailable(_) | Error::Unknown(_))) | Err(_) => replica.rest(),
            }
        }
        count("primary", attempts.len());
        access_facts::list(primary, attempts, &self.settings, self.settings.read_only).await
    }
}

impl ReplicaFactsQuery {
    /// The facts, where the standby knows enough: both by one connection, which leads to one server.
    async fn ask(
        &self,
        replica: &Replica,
        position: &WalPosition,
        attempts: &[(AccessSubject, DateTime<Utc>)],
    ) -> Result<Option<Vec<AccessFacts>>> {
        let mut connection = replica.db.acquire().await?;
        if !replica.has_replayed(&mut connection, position).await? {
            return Ok(None);
        }
        access_facts::list(&mut *connection, attempts, &self.settings, true).await.map(Some)
    }
}

/// Asks a standby whether it is recent enough, and for the facts. None where it is not.
#[derive(Debug)]
struct StaleFactsQuery {
    replicas: Replicas,
    settings: Arc<AccessSettings>,
}

impl BatchedQuery for StaleFactsQuery {
    type Request = (AccessSubject, DateTime<Utc>);
    type Response = Option<AccessFacts>;
    const NAME: &'static str = "stale_facts";

    async fn load(
        &self,
        connection: &mut PgConnection,
        attempts: &[Self::Request],
    ) -> Result<Vec<Option<AccessFacts>>> {
        let Some(age) = self.replicas.staleness(&mut *connection).await? else {
            return Ok(attempts.iter().map(|_| None).collect());
        };
        let facts = access_facts::list(connection, attempts, &self.settings, true).await?;
        count("stale", attempts.len());
        Ok(facts.into_iter().map(|facts| Some(AccessFacts { stale: Some(age), ..facts })).collect())
    }
}
