//! The reports of kas. Those that wait at the same moment share a statement, so that neither a counter's row nor the
//! disk is waited for once a report.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::batcher::{BatchedQuery, Batcher};
use crate::domain::kas_usage::UsageReport;
use crate::store::{Db, Result, kas_usage};

/// Connections that write reports. While one waits for the disk, the next batch is on its way.
const CONNECTIONS: u32 = 2;
/// Ids of a report that shares its statement: one with more of them is what a kas sends after hours without an answer,
/// and would make the others wait.
const IDS: usize = 1_000;

/// Where reports are left. A report that was taken is written.
#[derive(Debug, Clone)]
pub struct KasUsageBatcher {
    db: Db,
    batcher: Batcher<KasUsageQuery>,
}

impl KasUsageBatcher {
    /// A writer over this budget.
    #[must_use]
    pub fn over(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self { batcher: Batcher::new(KasUsageQuery, db.clone(), CONNECTIONS), db }
    }

    /// Adds a report, as one of this day. It is written as a whole, and committed when this returns, or not at all.
    ///
    /// # Errors
    /// Where the database does not answer in time. It may have taken the report all the same, where the connection
    /// broke before it could say so.
    pub async fn add(&self, report: UsageReport, day: NaiveDate) -> Result<()> {
        if report.is_empty() {
            return Ok(());
        }
        if report.unique.iter().map(|(_, ids)| ids.len()).sum::<usize>() <= IDS {
            return self.batcher.load((report, day)).await;
        }
        let mut transaction = self.db.begin().await?;
        kas_usage::add(&mut transaction, &[(report, day)]).await?;
        transaction.commit().await
    }
}

#[derive(Debug)]
struct KasUsageQuery;

impl BatchedQuery for KasUsageQuery {
    type Request = (UsageReport, NaiveDate);
    type Response = ();
    const NAME: &'static str = "kas_usage";
    const REPEATABLE: bool = false;

    async fn load(&self, connection: &mut PgConnection, reports: &[Self::Request]) -> Result<Vec<()>> {
        // One statement, for there are not so many ids: a transaction by itself, and one round trip.
        kas_usage::add(connection, reports).await?;
        Ok(vec![(); reports.len()])
    }
}
