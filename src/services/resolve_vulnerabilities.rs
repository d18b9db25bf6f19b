//! What a scan does not find any more is resolved (kas.md 4.2).

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::store::{self, Db, vulnerabilities};

/// Resolves what the agent has reported before and did not find again: how many vulnerabilities these were. They go in
/// batches, and what was resolved stays resolved where a later batch fails.
pub async fn resolve(
    db: &Db,
    (project, agent): (ProjectId, AgentId),
    found: &[Uuid],
    author: UserId,
    now: DateTime<Utc>,
) -> store::Result<u64> {
    store::settled(db, || async {
        let mut connection = db.acquire().await?;
        vulnerabilities::resolve_others(&mut connection, (project, agent), found, author, now).await
    })
    .await
}
