//! What a namespace has subscribed to is made, changed and shown (provisioning.md 2).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult};
use crate::domain::ledger::LedgerAuthor;
use crate::domain::provisioning::ProvisioningRefusal;
use crate::domain::subscription::{
    StatedPlan, StatedTerms, Subscription, SubscriptionTerms, SubscriptionUsage, excludes_guests,
};
use crate::store::provisioned_namespaces::ProvisionedNamespace;
use crate::store::{self, Db, provisioned_namespaces, seats, subscriptions};

/// The namespace's subscription with the seats that are taken; nothing where it has none.
pub async fn find(
    db: &Db,
    namespace: &ProvisionedNamespace,
    now: DateTime<Utc>,
) -> store::Result<Option<(Subscription, SubscriptionUsage)>> {
    retried(db, RetryAfter::Undone, || async {
        let mut connection = db.acquire().await?;
        let Some(subscription) = subscriptions::find(&mut *connection, namespace.id).await? else { return Ok(None) };
        let usage = usage(&mut connection, namespace, &subscription, now).await?;
        Ok(Some((subscription, usage)))
    })
    .await
}

/// Makes a subscription. A plan that does not exist is none.
pub async fn create(
    db: &Db,
    namespace: &ProvisionedNamespace,
    stated: &StatedTerms,
    plan: &StatedPlan,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(Subscription, SubscriptionUsage), ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let made = create_within(&mut transaction, namespace, stated, plan, author, now).await?;
        transaction.commit().await?;
        ServiceResult::Ok(made)
    })
    .await
}

async fn create_within(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    stated: &StatedTerms,
    plan: &StatedPlan,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(Subscription, SubscriptionUsage), ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    let stated = with_plan(&mut *conn, stated, plan).await?;
    let terms = match SubscriptionTerms::new(stated) {
        Ok(terms) => terms,
        Err(blank) => return refused(ProvisioningRefusal::BlankTerms(blank)),
    };
    if !provisioned_namespaces::lock_for_key_share(&mut *conn, namespace.id).await? {
        return refused(ProvisioningRefusal::NamespaceGone);
    }
    let made = subscriptions::create(&mut *conn, namespace.id, &terms, author, now).await?;
    let Some(subscription) = made else { return refused(ProvisioningRefusal::AlreadySubscribed) };
    let usage = usage(conn, namespace, &subscription, now).await?;
    Ok((subscription, usage))
}

/// A subscription that was changed.
#[derive(Debug)]
pub struct ChangedSubscription {
    /// How many seats were agreed before.
    pub seats_before: Option<i32>,
    /// As it is.
    pub subscription: Subscription,
    /// The seats that are taken.
    pub usage: SubscriptionUsage,
}

/// Changes what is stated. Where that begins a term, the seats are counted anew.
pub async fn update(
    db: &Db,
    namespace: &ProvisionedNamespace,
    stated: &StatedTerms,
    plan: &StatedPlan,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<ChangedSubscription, ProvisioningRefusal> {
    retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let changed = update_within(&mut transaction, namespace, stated, plan, author, now).await?;
        transaction.commit().await?;
        ServiceResult::Ok(changed)
    })
    .await
}

async fn update_within(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    stated: &StatedTerms,
    plan: &StatedPlan,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<ChangedSubscription, ProvisioningRefusal> {
    let refused = |refusal| Err(ServiceError::Refused(refusal));
    let found = subscriptions::find_for_update(&mut *conn, namespace.id).await?;
    let Some(subscription) = found else { return refused(ProvisioningRefusal::NotSubscribed) };
    let stated = with_plan(&mut *conn, stated, plan).await?;
    let mut change = match subscription.change(stated, now) {
        Ok(change) => change,
        Err(blank) => return refused(ProvisioningRefusal::BlankTerms(blank)),
    };
    if change.counts_anew {
        let counted = count_seats(&mut *conn, namespace, &change.after, now).await?;
        change = change.counted(counted.seats_in_use, now);
    }
    subscriptions::change(&mut *conn, &change, author, now).await?;
    let usage = usage(conn, namespace, &change.after, now).await?;
    Ok(ChangedSubscription { seats_before: change.before.terms.seats, subscription: change.after, usage })
}

/// Changes the subscription, or makes one where there is none; one that does not say when it starts, starts today.
pub(super) async fn upsert_within(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    (stated, plan): (&StatedTerms, &StatedPlan),
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), ProvisioningRefusal> {
    let changed = update_within(&mut *conn, namespace, stated, plan, author, now).await;
    if !matches!(changed, Err(ServiceError::Refused(ProvisioningRefusal::NotSubscribed))) {
        return changed.map(drop);
    }
    let start_date = stated.start_date.or(Some(Some(now.date_naive())));
    let new = StatedTerms { start_date, ..stated.clone() };
    let made = create_within(&mut *conn, namespace, &new, plan, author, now).await;
    if !matches!(made, Err(ServiceError::Refused(ProvisioningRefusal::AlreadySubscribed))) {
        return made.map(drop);
    }
    // Another request made one in between; it is there by now.
    update_within(conn, namespace, stated, plan, author, now).await.map(drop)
}

async fn with_plan(conn: &mut PgConnection, stated: &StatedTerms, plan: &StatedPlan) -> store::Result<StatedTerms> {
    let plan = match plan {
        StatedPlan::Unstated => None,
        StatedPlan::Null => Some(subscriptions::find_plan(conn, None).await?),
        StatedPlan::Named(name) => Some(subscriptions::find_plan(conn, Some(name)).await?),
    };
    Ok(StatedTerms { plan, ..stated.clone() })
}

/// Of a subscription that somebody pays for, the seats of its last count; of another, they are counted now.
async fn usage(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> store::Result<SubscriptionUsage> {
    if !subscription.terms.is_paid() {
        return count_seats(conn, namespace, subscription, now).await;
    }
    let exclude_guests = exclude_guests(conn, namespace, subscription).await?;
    Ok(SubscriptionUsage { exclude_guests, seats_in_use: subscription.seats_in_use })
}

/// The seats that are taken now.
pub(super) async fn count_seats(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    subscription: &Subscription,
    now: DateTime<Utc>,
) -> store::Result<SubscriptionUsage> {
    let exclude_guests = exclude_guests(conn, namespace, subscription).await?;
    let seats_in_use = if namespace.is_personal() {
        1
    } else {
        seats::count(conn, namespace.id, exclude_guests, now.date_naive()).await?
    };
    Ok(SubscriptionUsage { exclude_guests, seats_in_use })
}

/// Of a group, the plan of its root says it.
async fn exclude_guests(
    conn: &mut PgConnection,
    namespace: &ProvisionedNamespace,
    subscription: &Subscription,
) -> store::Result<bool> {
    if namespace.is_personal() {
        return Ok(false);
    }
    if namespace.is_root() {
        return Ok(excludes_guests(subscription.terms.plan.as_ref().map(|plan| plan.code.as_str())));
    }
    let plan = subscriptions::find_plan_name(conn, namespace.root).await?;
    Ok(excludes_guests(plan.as_deref()))
}
