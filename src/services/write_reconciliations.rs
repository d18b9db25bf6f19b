//! When the seats of namespaces are reckoned up next is written, and removed (provisioning.md 5 and 7).

use chrono::{DateTime, Utc};

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::LedgerAuthor;
use crate::domain::provisioning::ProvisioningRefusal;
use crate::domain::reconciliation::{JudgedReconciliations, ReconciliationRequest, UpcomingReconciliation, judge};
use crate::store::{self, Db, provisioned_namespaces, reconciliations};

/// Writes all elements of a list that are good, and none where two of them are for the same namespace.
pub async fn write_list(
    db: &Db,
    wanted: &[ReconciliationRequest],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> store::Result<JudgedReconciliations> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let namespaces = wanted.iter().map(|wanted| wanted.namespace);
        let existing = provisioned_namespaces::lock_all(&mut *transaction, namespaces).await?;
        let mut judged = judge(wanted, &existing);
        if judged.repeats {
            judged.good.clear();
        }
        reconciliations::upsert(&mut transaction, &judged.good, author, now).await?;
        transaction.commit().await?;
        Ok(judged)
    })
    .await
}

/// Writes the reconciliation of one namespace.
pub async fn write(
    db: &Db,
    reconciliation: UpcomingReconciliation,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if provisioned_namespaces::lock_all(&mut *transaction, [reconciliation.namespace]).await?.is_empty() {
            return Err(ServiceError::Refused(ProvisioningRefusal::NamespaceGone));
        }
        reconciliations::upsert(&mut transaction, &[reconciliation], author, now).await?;
        Ok(transaction.commit().await?)
    })
    .await
}

/// Removes the reconciliation of a namespace.
pub async fn remove(
    db: &Db,
    namespace: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if !reconciliations::delete(&mut transaction, namespace, author, now).await? {
            return Err(ServiceError::Refused(ProvisioningRefusal::NoReconciliation));
        }
        Ok(transaction.commit().await?)
    })
    .await
}
