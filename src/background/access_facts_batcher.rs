//! The facts of the access rules, for all attempts that wait at the same moment in one statement.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::batcher::{BatchedQuery, Batcher};
use crate::config::DatabaseSettings;
use crate::domain::access::{AccessFacts, AccessSettings, AccessSubject};
use crate::store::access_facts;
use crate::store::{Db, Result};

/// The loader of facts: attempts that wait at the same moment share one statement.
#[derive(Debug, Clone)]
pub struct AccessFactsBatcher(Batcher<AccessFactsQuery>);

impl AccessFactsBatcher {
    /// A loader over this budget, all of whose connections `/allowed` may use.
    #[must_use]
    pub fn over(db: impl Into<Db>, database: &DatabaseSettings, settings: Arc<AccessSettings>) -> Self {
        Self(Batcher::new(AccessFactsQuery(settings), db.into(), database.access_connections))
    }

    /// The facts about an attempt that is made `now`.
    ///
    /// # Errors
    /// Where the database does not answer in time.
    pub async fn load(&self, subject: AccessSubject, now: DateTime<Utc>) -> Result<AccessFacts> {
        self.0.load((subject, now)).await
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
        self.0.load_within((subject, now), patience).await
    }
}

#[derive(Debug)]
struct AccessFactsQuery(Arc<AccessSettings>);

impl BatchedQuery for AccessFactsQuery {
    type Request = (AccessSubject, DateTime<Utc>);
    type Response = AccessFacts;
    const NAME: &'static str = "access_facts";

    async fn load(&self, connection: &mut PgConnection, attempts: &[Self::Request]) -> Result<Vec<AccessFacts>> {
        access_facts::list(connection, attempts, &self.0).await
    }
}
