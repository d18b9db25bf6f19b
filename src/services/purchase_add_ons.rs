//! A namespace buys add-ons (provisioning.md 3 and 7).

use chrono::{DateTime, Utc};

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::add_on::{AddOn, AddOnPurchase, PurchaseOrder, PurchaseRequest, PurchaseTerms, carry_out};
use crate::domain::ledger::LedgerAuthor;
use crate::domain::provisioning::ProvisioningRefusal;
use crate::store::provisioned_namespaces::ProvisionedNamespace;
use crate::store::{Db, add_on_purchases, provisioned_namespaces};

/// Makes a purchase of one add-on.
pub async fn create(
    db: &Db,
    namespace: &ProvisionedNamespace,
    add_on: AddOn,
    wanted: &PurchaseRequest,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<AddOnPurchase, ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    if !namespace.is_root() {
        return refused(ProvisioningRefusal::NoRoot(namespace.name.clone()));
    }
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        if !provisioned_namespaces::lock_for_key_share(&mut *transaction, namespace.id).await? {
            return refused(ProvisioningRefusal::NamespaceGone);
        }
        if add_on_purchases::find(&mut *transaction, namespace.id, add_on).await?.is_some() {
            return refused(ProvisioningRefusal::AlreadyBought(namespace.name.clone(), add_on));
        }
        let terms = match PurchaseTerms::new(wanted.clone()) {
            Ok(terms) => terms,
            Err(complaints) => return refused(ProvisioningRefusal::PurchaseTerms(complaints)),
        };
        let made = add_on_purchases::create(&mut transaction, namespace.id, add_on, terms, author, now).await?;
        let Some(purchase) = made else {
            return refused(ProvisioningRefusal::AlreadyBought(namespace.name.clone(), add_on));
        };
        transaction.commit().await?;
        Ok(purchase)
    })
    .await
}

/// Changes what is wanted of a purchase: as it was, and as it is.
pub async fn update(
    db: &Db,
    namespace: &ProvisionedNamespace,
    add_on: AddOn,
    wanted: &PurchaseRequest,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(AddOnPurchase, AddOnPurchase), ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let found = add_on_purchases::find_for_update(&mut *transaction, namespace.id, add_on).await?;
        let Some(before) = found else {
            return refused(ProvisioningRefusal::NotBought(namespace.name.clone(), add_on));
        };
        let terms = match before.terms.clone().with(wanted.clone()) {
            Ok(terms) => terms,
            Err(complaints) => return refused(ProvisioningRefusal::PurchaseTerms(complaints)),
        };
        let after = AddOnPurchase { terms, ..before.clone() };
        let after = add_on_purchases::change(&mut transaction, &before, after, author, now).await?;
        transaction.commit().await?;
        Ok((before, after))
    })
    .await
}

/// Carries out all orders, or none: the purchases that were made, changed or ended, one at least.
pub async fn carry_out_all(
    db: &Db,
    namespace: &ProvisionedNamespace,
    orders: &[PurchaseOrder],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<Vec<AddOnPurchase>, ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    if !namespace.is_root() {
        return refused(ProvisioningRefusal::NoRoot(namespace.name.clone()));
    }
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        // Two add-ons may be one purchase, so requests of a namespace follow each other.
        if provisioned_namespaces::lock_all(&mut *transaction, [namespace.id]).await?.is_empty() {
            return refused(ProvisioningRefusal::NamespaceGone);
        }
        let mut purchases = Vec::new();
        for order in orders {
            let bought = add_on_purchases::find_for_update(&mut *transaction, namespace.id, order.add_on).await?;
            let instead = match order.in_place_of {
                Some(other) => add_on_purchases::find_for_update(&mut *transaction, namespace.id, other).await?,
                None => None,
            };
            let before = bought.or(instead);
            let terms = match carry_out(order, before.as_ref(), now.date_naive()) {
                Ok(Some(terms)) => terms,
                Ok(None) => continue,
                Err(complaints) => return refused(ProvisioningRefusal::PurchaseTerms(complaints)),
            };
            let purchase = if let Some(before) = before {
                let after = AddOnPurchase { terms, add_on: order.add_on, ..before.clone() };
                add_on_purchases::change(&mut transaction, &before, after, author, now).await?
            } else {
                let id = namespace.id;
                let made = add_on_purchases::create(&mut transaction, id, order.add_on, terms, author, now).await?;
                let Some(made) = made else { return refused(ProvisioningRefusal::BoughtMeanwhile) };
                made
            };
            purchases.push(purchase);
        }
        if purchases.is_empty() {
            return refused(ProvisioningRefusal::NothingToBuy);
        }
        transaction.commit().await?;
        Ok(purchases)
    })
    .await
}
