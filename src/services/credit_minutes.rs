//! A namespace is credited with packs of compute minutes (provisioning.md 4.1).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::LedgerAuthor;
use crate::domain::minutes::{self, MinutesPack, NewPack, PackRequest};
use crate::domain::provisioning::ProvisioningRefusal;
use crate::store::{self, Db, minutes_packs, provisioned_namespaces};

/// Credits the namespace with all packs, or with none. A purchase that it was credited with before is answered as it
/// is.
pub async fn credit(
    db: &Db,
    namespace: NamespaceId,
    wanted: &[PackRequest],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<Vec<MinutesPack>, ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if !provisioned_namespaces::lock_for_key_share(&mut *transaction, namespace).await? {
            return Err(ServiceError::Refused(ProvisioningRefusal::NamespaceGone));
        }
        let packs = credit_locked(&mut transaction, namespace, wanted, author, now).await?;
        let packs = packs.ok_or(ServiceError::Refused(ProvisioningRefusal::PacksRefused))?;
        transaction.commit().await?;
        Ok(packs)
    })
    .await
}

/// Credits a namespace, which the transaction keeps from being removed, with the packs that it does not have yet: the
/// packs in the order in which they are wanted, or nothing where one of them cannot be credited. Then the caller rolls
/// back.
pub async fn credit_locked(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    wanted: &[PackRequest],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> store::Result<Option<Vec<MinutesPack>>> {
    let xids: Vec<String> = wanted.iter().filter_map(|pack| pack.purchase_xid.clone()).collect();
    let known = minutes_packs::list_by_xids(&mut *conn, &xids).await?;
    let Some(lacking) = minutes::lacking(namespace, wanted, &known) else { return Ok(None) };
    if lacking.is_empty() {
        return Ok(minutes::credited(namespace, wanted, &known));
    }
    let lacking: Vec<NewPack> = lacking.into_values().collect();
    minutes_packs::insert(&mut *conn, namespace, &lacking, author, now).await?;
    // What another request made in between is there by now.
    let known = minutes_packs::list_by_xids(conn, &xids).await?;
    Ok(minutes::credited(namespace, wanted, &known))
}
