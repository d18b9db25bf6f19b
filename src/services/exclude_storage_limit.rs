//! A namespace gets a storage without a limit, and loses it again (provisioning.md 6).

use chrono::{DateTime, Utc};

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::exclusion::{ExclusionReason, StorageExclusion};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::LedgerAuthor;
use crate::domain::provisioning::ProvisioningRefusal;
use crate::store::{Db, provisioned_namespaces, storage_exclusions};

/// Excludes the namespace from its limit.
pub async fn exclude(
    db: &Db,
    namespace: NamespaceId,
    reason: Option<&str>,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<StorageExclusion, ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if !provisioned_namespaces::lock_for_key_share(&mut *transaction, namespace).await? {
            return refused(ProvisioningRefusal::NamespaceGone);
        }
        if storage_exclusions::exists(&mut *transaction, namespace).await? {
            return refused(ProvisioningRefusal::AlreadyExcluded);
        }
        let reason = match ExclusionReason::new(reason.map(str::to_owned)) {
            Ok(reason) => reason,
            Err(complaint) => return refused(ProvisioningRefusal::ExclusionReason(complaint)),
        };
        let made = storage_exclusions::create(&mut transaction, namespace, &reason, author, now).await?;
        let Some(exclusion) = made else { return refused(ProvisioningRefusal::AlreadyExcluded) };
        transaction.commit().await?;
        Ok(exclusion)
    })
    .await
}

/// Limits the namespace again.
pub async fn include(
    db: &Db,
    namespace: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if !storage_exclusions::delete(&mut transaction, namespace, author, now).await? {
            return Err(ServiceError::Refused(ProvisioningRefusal::NotExcluded));
        }
        Ok(transaction.commit().await?)
    })
    .await
}
