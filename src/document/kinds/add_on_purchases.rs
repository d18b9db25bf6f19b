//! `add_on_purchases:`, which add-ons namespaces have bought.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::provisioned::namespace;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, StatedDay, stated};
use crate::domain::add_on::{AddOn, AddOnPurchase, PurchaseRequest, PurchaseTerms};
use crate::store::{Result, add_on_purchases};

/// A purchase, found by its namespace and add-on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct AddOnPurchaseEntry {
    /// The full path of a root group or of a user's own namespace.
    #[schemars(length(min = 1, max = 8192))]
    pub namespace: String,
    /// What was bought.
    #[schemars(regex(pattern = "^(code_suggestions|product_analytics|duo_enterprise|duo_amazon_q|duo_nano|duo_core|self_hosted_dap)$"), extend("examples" = ["code_suggestions"]))]
    pub add_on: String,
    /// Seats.
    #[schemars(range(min = 1))]
    pub quantity: Option<i32>,
    /// The first day; null for none that is known.
    #[serde(default, deserialize_with = "stated")]
    pub started_on: Option<Option<StatedDay>>,
    /// The day on which it ends.
    pub expires_on: Option<StatedDay>,
    /// The purchase's id at the seller.
    #[schemars(length(min = 1, max = 255))]
    pub purchase_xid: Option<String>,
    /// Whether it is for trial.
    pub trial: Option<bool>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a purchase, or removes it.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, entry: &AddOnPurchaseEntry) -> Result<()> {
    let Some(namespace) = namespace(run, place, &entry.namespace, entry.ensure).await? else { return Ok(()) };
    let id = namespace.id;
    let Some(add_on) = AddOn::named(&entry.add_on) else {
        run.problem(&place.key("add_on"), format!("there is no add-on {}", entry.add_on));
        return Ok(());
    };
    let what = format!("purchase of {} by {}", entry.add_on, entry.namespace);
    let existing = add_on_purchases::find_for_update(&mut *run.conn, id, add_on).await?;
    let (author, now) = (run.author(), run.now);
    if entry.ensure.is_absent() {
        if let Some(purchase) = existing {
            add_on_purchases::delete(&mut *run.conn, &purchase, &author, now).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let Some((wanted, changes)) = compare(run, place, entry, existing.as_ref().map(|purchase| &purchase.terms)) else {
        return Ok(());
    };
    let terms = match PurchaseTerms::new(wanted) {
        Ok(terms) => terms,
        Err(complaints) => {
            // Of a quantity that is left out, GitLab says so twice.
            for (name, complaint) in complaints.into_iter().filter(|(_, complaint)| complaint != "is not a number") {
                run.problem(&place.key(name), complaint);
            }
            return Ok(());
        }
    };
    let purchase = match existing {
        Some(before) if changes.is_empty() => before,
        Some(before) => {
            run.updated(&what, &changes);
            let after = AddOnPurchase { terms, ..before.clone() };
            add_on_purchases::change(&mut *run.conn, &before, after, &author, now).await?
        }
        None if !namespace.is_root() => {
            run.problem(&place.key("namespace"), "must be a root group or a user's own namespace");
            return Ok(());
        }
        None => {
            let made = add_on_purchases::create(&mut *run.conn, id, add_on, terms, &author, now).await?;
            let Some(purchase) = made else {
                run.problem(place, "somebody makes this purchase at the same time");
                return Ok(());
            };
            run.added(&what);
            purchase
        }
    };
    run.name("add_on_purchases", &format!("{} {}", entry.namespace, entry.add_on), json!({ "id": purchase.id }));
    Ok(())
}

fn compare(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    entry: &AddOnPurchaseEntry,
    before: Option<&PurchaseTerms>,
) -> Option<(PurchaseRequest, FieldChanges)> {
    let problems = run.problems();
    let expires_on = entry.expires_on.as_ref().and_then(|day| run.day(&place.key("expires_on"), day));
    let started_on = run.optional_day(&place.key("started_on"), entry.started_on.as_ref());
    let mut wanted = before.map_or_else(PurchaseRequest::default, |terms| PurchaseRequest {
        quantity: Some(terms.quantity),
        started_on: terms.started_on,
        expires_on: Some(terms.expires_on),
        purchase_xid: Some(terms.purchase_xid.clone()),
        trial: Some(terms.trial),
    });
    let mut changes = FieldChanges::default();
    changes.set("quantity", &mut wanted.quantity, entry.quantity.map(Some));
    changes.set("started_on", &mut wanted.started_on, started_on);
    changes.set("expires_on", &mut wanted.expires_on, expires_on.map(Some));
    changes.set("purchase_xid", &mut wanted.purchase_xid, entry.purchase_xid.clone().map(Some));
    changes.set("trial", &mut wanted.trial, entry.trial.map(Some));
    (run.problems() == problems).then_some((wanted, changes))
}
