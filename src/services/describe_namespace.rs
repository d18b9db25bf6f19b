//! What CustomersDot is told of a namespace (provisioning.md 7).

use chrono::{DateTime, Utc};

use super::retry::{RetryAfter, retried};
use super::subscribe;
use crate::domain::namespace_limits::NamespaceLimits;
use crate::domain::subscription::{Subscription, SubscriptionUsage, excludes_guests};
use crate::store::namespace_facts::NamespaceFacts;
use crate::store::provisioned_namespaces::ProvisionedNamespace;
use crate::store::{Db, Result, namespace_facts, namespace_limits, seats};

/// A namespace, what it has, and how large it is.
#[derive(Debug)]
pub struct DescribedNamespace {
    /// What it is.
    pub facts: NamespaceFacts,
    /// Its compute minutes and storage.
    pub limits: NamespaceLimits,
    /// What it has subscribed to itself, with the seats that are taken.
    pub subscription: Option<(Subscription, SubscriptionUsage)>,
    /// How many seats it would take now.
    pub billable_members: i32,
}

/// The namespace as it is; nothing where it is gone.
pub async fn describe(
    db: &Db,
    namespace: &ProvisionedNamespace,
    now: DateTime<Utc>,
) -> Result<Option<DescribedNamespace>> {
    let found = retried(db, RetryAfter::Undone, || async {
        let today = now.date_naive();
        let mut connection = db.acquire().await?;
        let Some(facts) = namespace_facts::find(&mut *connection, namespace.id, today).await? else { return Ok(None) };
        let Some(limits) = namespace_limits::find(&mut *connection, namespace.id).await? else { return Ok(None) };
        let members = if namespace.is_personal() {
            1
        } else {
            seats::count(&mut *connection, namespace.id, excludes_guests(facts.plan.as_deref()), today).await?
        };
        Result::Ok(Some((facts, limits, members)))
    })
    .await?;
    let Some((facts, limits, billable_members)) = found else { return Ok(None) };
    let subscription = subscribe::find(db, namespace, now).await?;
    Ok(Some(DescribedNamespace { facts, limits, subscription, billable_members }))
}
