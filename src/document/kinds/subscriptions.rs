//! `subscriptions:`, what namespaces have subscribed to.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, StatedDay, stated};
use crate::domain::ids::NamespaceId;
use crate::domain::subscription::{HostedPlan, Subscription, SubscriptionChange, SubscriptionTerms};
use crate::services::end_provisioning::{self, EndingNamespace};
use crate::store::{Result, provisioned_namespaces, subscriptions};

/// A subscription, found by its namespace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct SubscriptionEntry {
    /// The full path of a group or of a user's own namespace.
    #[schemars(length(min = 1, max = 8192))]
    pub namespace: String,
    /// The plan's name; null for none.
    #[serde(default, deserialize_with = "stated")]
    pub plan_code: Option<Option<String>>,
    pub start_date: Option<StatedDay>,
    #[serde(default, deserialize_with = "stated")]
    pub end_date: Option<Option<StatedDay>>,
    /// Seats that were bought.
    pub seats: Option<i32>,
    /// The most seats that were in use.
    pub max_seats_used: Option<i32>,
    /// Whether it is renewed by itself; null for unknown.
    #[serde(default, deserialize_with = "stated")]
    pub auto_renew: Option<Option<bool>>,
    /// Whether it is for trial.
    pub trial: Option<bool>,
    #[serde(default, deserialize_with = "stated")]
    pub trial_starts_on: Option<Option<StatedDay>>,
    #[serde(default, deserialize_with = "stated")]
    pub trial_ends_on: Option<Option<StatedDay>>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a subscription, or ends it. What the document states is so afterwards: no rule of a new term counts seats.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, entry: &SubscriptionEntry) -> Result<()> {
    let Some(namespace) = namespace(run, place, &entry.namespace, entry.ensure).await? else { return Ok(()) };
    if entry.ensure.is_absent() {
        let ending = EndingNamespace { id: namespace, path: &entry.namespace, author: &run.author(), now: run.now };
        if let Some(what) = end_provisioning::end_subscription(&mut *run.conn, &ending).await? {
            run.removed(&what);
        }
        return Ok(());
    }
    let existing = subscriptions::find_for_update(&mut *run.conn, namespace).await?;
    let what = format!("subscription of {}", entry.namespace);
    let before = existing.as_ref().map(|subscription| subscription.terms.clone());
    let new = SubscriptionTerms {
        trial: Some(false),
        seats: Some(0),
        max_seats_used: Some(0),
        ..SubscriptionTerms::default()
    };
    let Some((terms, changes)) = stated_terms(run, place, entry, before.unwrap_or(new)).await? else { return Ok(()) };
    if terms.start_date.is_none() {
        run.problem(&place.key("start_date"), "is missing, for example 2027-01-31");
        return Ok(());
    }
    let (author, now) = (run.author(), run.now);
    let id = match existing {
        None => {
            let made = subscriptions::create(&mut *run.conn, namespace, &terms, &author, now).await?;
            let Some(subscription) = made else {
                run.problem(place, "somebody makes this subscription at the same time");
                return Ok(());
            };
            run.added(&what);
            subscription.id
        }
        Some(before) => {
            let id = before.id;
            if !changes.is_empty() {
                let changed_at = if terms.max_seats_used == before.terms.max_seats_used {
                    before.max_seats_used_changed_at
                } else {
                    Some(now)
                };
                let after =
                    Subscription { terms, max_seats_used_changed_at: changed_at, updated_at: now, ..before.clone() };
                let change = SubscriptionChange { before, after, counts_anew: false };
                subscriptions::change(&mut *run.conn, &change, &author, now).await?;
                run.updated(&what, &changes);
            }
            id
        }
    };
    run.name("subscriptions", &entry.namespace, json!({ "id": id }));
    Ok(())
}

/// The namespace of that path. Where there is none, nothing needs to be removed from it.
pub async fn namespace(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    path: &str,
    ensure: Ensure,
) -> Result<Option<NamespaceId>> {
    let found = provisioned_namespaces::find_by_path(&mut *run.conn, path).await?;
    if found.is_none() && !ensure.is_absent() && !run.has_failed(path) {
        run.problem(&place.key("namespace"), format!("there is no group or user {path}"));
    }
    Ok(found.map(|namespace| namespace.id))
}

async fn stated_terms(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    entry: &SubscriptionEntry,
    mut terms: SubscriptionTerms,
) -> Result<Option<(SubscriptionTerms, FieldChanges)>> {
    let problems = run.problems();
    let plan = match &entry.plan_code {
        None => None,
        Some(None) => Some(None),
        Some(Some(code)) => {
            let plan = subscriptions::find_plan(&mut *run.conn, Some(code)).await?;
            if plan.is_none() {
                run.problem(&place.key("plan_code"), format!("there is no plan {code}"));
            }
            Some(plan)
        }
    };
    let start_date = entry.start_date.as_ref().and_then(|day| run.day(&place.key("start_date"), day));
    let end_date = run.optional_day(&place.key("end_date"), entry.end_date.as_ref());
    let trial_starts_on = run.optional_day(&place.key("trial_starts_on"), entry.trial_starts_on.as_ref());
    let trial_ends_on = run.optional_day(&place.key("trial_ends_on"), entry.trial_ends_on.as_ref());
    let mut changes = FieldChanges::default();
    let code = |plan: &Option<HostedPlan>| plan.as_ref().map_or("none", |plan| plan.code.as_str()).to_owned();
    changes.set_as("plan_code", &mut terms.plan, plan, code);
    changes.set("start_date", &mut terms.start_date, start_date.map(Some));
    changes.set("end_date", &mut terms.end_date, end_date);
    changes.set("seats", &mut terms.seats, entry.seats.map(Some));
    changes.set("max_seats_used", &mut terms.max_seats_used, entry.max_seats_used.map(Some));
    changes.set("auto_renew", &mut terms.auto_renew, entry.auto_renew);
    changes.set("trial", &mut terms.trial, entry.trial.map(Some));
    changes.set("trial_starts_on", &mut terms.trial_starts_on, trial_starts_on);
    changes.set("trial_ends_on", &mut terms.trial_ends_on, trial_ends_on);
    Ok((run.problems() == problems).then_some((terms, changes)))
}
