//! A namespace gets a subscription, compute minutes, storage and add-ons at once (provisioning.md 7).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, purchase_add_ons, subscribe};
use crate::domain::add_on::PurchaseOrder;
use crate::domain::ledger::LedgerAuthor;
use crate::domain::namespace_limits::{LimitsChange, NamespaceComplaints, StatedLimits};
use crate::domain::provisioning::ProvisioningRefusal;
use crate::domain::subscription::{StatedPlan, StatedTerms};
use crate::store::provisioned_namespaces::ProvisionedNamespace;
use crate::store::{Db, derived, namespace_limits};

/// The terms of a subscription, which is changed, or made where there is none.
#[derive(Debug, Clone)]
pub struct SubscriptionOrder {
    /// What is said of the terms.
    pub stated: StatedTerms,
    /// What is said of the plan.
    pub plan: StatedPlan,
}

impl SubscriptionOrder {
    /// Whether nothing is said.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        self.plan == StatedPlan::Unstated && self.stated == StatedTerms::default()
    }
}

/// What a namespace is to have, all of it or nothing.
#[derive(Debug, Clone)]
pub struct NamespaceOrder {
    /// Compute minutes and storage.
    pub limits: StatedLimits,
    /// The subscription.
    pub subscription: Option<SubscriptionOrder>,
}

/// Carries an order out, or nothing of it: then all that is wrong with it is said at once.
pub async fn update(
    db: &Db,
    namespace: &ProvisionedNamespace,
    order: &NamespaceOrder,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let mut wrong = complaints(set_within(&mut transaction, namespace, &order.limits, author, now).await)?;
        if let Some(SubscriptionOrder { stated, plan }) = &order.subscription {
            let subscribed = subscribe::upsert_within(&mut transaction, namespace, (stated, plan), author, now).await;
            wrong.extend(complaints(subscribed)?);
        }
        if !wrong.is_empty() {
            return Err(ServiceError::Refused(ProvisioningRefusal::NamespaceTerms(wrong)));
        }
        Ok(transaction.commit().await?)
    })
    .await
}

/// What is wrong with a part of an order, by the names that it has in the whole.
fn complaints(part: ServiceResult<(), ProvisioningRefusal>) -> ServiceResult<NamespaceComplaints, ProvisioningRefusal> {
    match part {
        Ok(()) => Ok(Vec::new()),
        Err(ServiceError::Refused(ProvisioningRefusal::NamespaceTerms(complaints))) => Ok(complaints),
        Err(ServiceError::Refused(ProvisioningRefusal::BlankTerms(blank))) => Ok(of_subscription(&blank)),
        Err(error) => Err(error),
    }
}

/// What a subscription must have and has not, as its namespace says it.
fn of_subscription(blank: &[&'static str]) -> NamespaceComplaints {
    let within = |name: &&'static str| match *name {
        "seats" => "gitlab_subscription.seats",
        "start_date" => "gitlab_subscription.start_date",
        other => other,
    };
    blank.iter().map(|name| (within(name), "can't be blank".to_owned())).collect()
}

async fn set_within(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    stated: &StatedLimits,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    // Groups that change have their roots locked so.
    derived::lock_root(&mut *conn, namespace.id).await?;
    let Some(before) = namespace_limits::find(&mut *conn, namespace.id).await? else {
        return Err(ServiceError::Refused(ProvisioningRefusal::NamespaceGone));
    };
    match before.with(stated, namespace.is_root()) {
        Ok(after) => {
            let change = LimitsChange { namespace: namespace.id, before, after };
            Ok(namespace_limits::change(conn, &change, author, now).await?)
        }
        Err(complaints) => Err(ServiceError::Refused(ProvisioningRefusal::NamespaceTerms(complaints))),
    }
}

/// What a namespace is to have, in parts that do not depend on each other.
#[derive(Debug, Clone, Default)]
pub struct ProvisionOrder {
    /// The subscription.
    pub base_product: Option<SubscriptionOrder>,
    /// Storage.
    pub storage: Option<StatedLimits>,
    /// Compute minutes.
    pub compute_minutes: Option<StatedLimits>,
    /// Add-ons.
    pub add_on_purchases: Option<Vec<PurchaseOrder>>,
}

/// What came of a part: nothing where it was not asked for.
pub type ProvisionedPart = Option<Result<(), ProvisioningRefusal>>;

/// What came of all parts.
#[derive(Debug)]
pub struct ProvisionedParts {
    /// Of the subscription.
    pub base_product: ProvisionedPart,
    /// Of the storage.
    pub storage: ProvisionedPart,
    /// Of the compute minutes.
    pub compute_minutes: ProvisionedPart,
    /// Of the add-ons.
    pub add_on_purchases: ProvisionedPart,
}

/// Carries each part of an order out, or nothing of that part. A part that is refused keeps no other from being done.
pub async fn provision(
    db: &Db,
    namespace: &ProvisionedNamespace,
    order: &ProvisionOrder,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<ProvisionedParts, ProvisioningRefusal> {
    let set = async |limits: Option<StatedLimits>, subscription: &Option<SubscriptionOrder>| {
        if limits.is_none() && subscription.is_none() {
            return Ok(None);
        }
        let order = NamespaceOrder { limits: limits.unwrap_or_default(), subscription: subscription.clone() };
        part(update(db, namespace, &order, author, now).await)
    };
    Ok(ProvisionedParts {
        base_product: set(None, &order.base_product).await?,
        storage: set(order.storage, &None).await?,
        compute_minutes: set(order.compute_minutes, &None).await?,
        add_on_purchases: match &order.add_on_purchases {
            None => None,
            Some(orders) => {
                let bought = purchase_add_ons::carry_out_all(db, namespace, orders, author, now).await;
                part(bought.map(drop))?
            }
        },
    })
}

/// A namespace that is gone, and a database that does not answer, end the whole request.
fn part(came: ServiceResult<(), ProvisioningRefusal>) -> ServiceResult<ProvisionedPart, ProvisioningRefusal> {
    match came {
        Ok(()) => Ok(Some(Ok(()))),
        Err(ServiceError::Refused(refusal)) if refusal != ProvisioningRefusal::NamespaceGone => Ok(Some(Err(refusal))),
        Err(error) => Err(error),
    }
}
