//! An agent is opened to the projects and groups that its configuration names (kas.md 2.11).

use crate::domain::ids::AgentId;
use crate::store::agent_authorizations::{self, OpenedAccess};
use crate::store::{self, Db, agents};

/// Makes the rows of the agent what its configuration says; false where there is no such agent. To replace all by the
/// same again changes nothing.
pub async fn configure(db: &Db, id: AgentId, opened: &OpenedAccess) -> store::Result<bool> {
    store::settled(db, || async {
        let mut transaction = db.begin().await?;
        let Some(agent) = agents::find(&mut *transaction, id).await? else { return Ok(false) };
        agent_authorizations::replace(&mut transaction, &agent, opened).await?;
        transaction.commit().await?;
        Ok(true)
    })
    .await
}
