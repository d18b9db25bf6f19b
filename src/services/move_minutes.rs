//! All packs of compute minutes of a namespace become another's (provisioning.md 4.2).

use chrono::{DateTime, Utc};

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::ledger::LedgerAuthor;
use crate::domain::minutes::{MoveEnd, why_not_moved};
use crate::domain::provisioning::ProvisioningRefusal;
use crate::store::{Db, minutes_packs, provisioned_namespaces};

/// Moves the packs, and says how many there were.
pub async fn move_all(
    db: &Db,
    source: MoveEnd,
    target: MoveEnd,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<usize, ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    if let Some(reason) = why_not_moved(source, target) {
        return refused(ProvisioningRefusal::NotMoved(reason));
    }
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        // In the order of their ids, so that two opposite moves follow each other.
        let there = provisioned_namespaces::lock_all(&mut *transaction, [source.id, target.id]).await?;
        if !there.contains(&source.id) {
            return refused(ProvisioningRefusal::NamespaceGone);
        }
        if !there.contains(&target.id) {
            return refused(ProvisioningRefusal::TargetGone);
        }
        let moved = minutes_packs::move_all(&mut transaction, source.id, target.id, author, now).await?;
        transaction.commit().await?;
        Ok(moved)
    })
    .await
}
