//! `reconciliations:`, when the seats of namespaces are reckoned up next.

use schemars::JsonSchema;
use serde::Deserialize;

use super::provisioned::namespace;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, StatedDay};
use crate::domain::reconciliation::UpcomingReconciliation as Dates;
use crate::services::end_provisioning::{self, EndingNamespace};
use crate::store::{Result, provisioned_namespaces, reconciliations};

/// A reconciliation, found by its namespace.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct ReconciliationEntry {
    /// The full path of a group or of a user's own namespace.
    #[schemars(length(min = 1, max = 8192))]
    pub namespace: String,
    pub next_reconciliation_date: Option<StatedDay>,
    pub display_alert_from: Option<StatedDay>,
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a reconciliation, or removes it.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, entry: &ReconciliationEntry) -> Result<()> {
    let Some(namespace) = namespace(run, place, &entry.namespace, entry.ensure).await? else { return Ok(()) };
    let namespace = namespace.id;
    if entry.ensure.is_absent() {
        let ending = EndingNamespace { id: namespace, path: &entry.namespace, author: &run.author(), now: run.now };
        if let Some(what) = end_provisioning::end_reconciliation(&mut *run.conn, &ending).await? {
            run.removed(&what);
        }
        return Ok(());
    }
    provisioned_namespaces::lock_all(&mut *run.conn, [namespace]).await?;
    let what = format!("reconciliation of {}", entry.namespace);
    let existing = reconciliations::find_for_update(&mut *run.conn, namespace).await?;
    let mut next = existing.map(|dates| dates.next_reconciliation_date);
    let mut alert = existing.map(|dates| dates.display_alert_from);
    let mut changes = FieldChanges::default();
    for (name, day, slot) in [
        ("next_reconciliation_date", &entry.next_reconciliation_date, &mut next),
        ("display_alert_from", &entry.display_alert_from, &mut alert),
    ] {
        let place = place.key(name);
        match day {
            Some(day) => changes.set(name, slot, run.day(&place, day).map(Some)),
            None if slot.is_none() => run.problem(&place, "is missing, for example 2027-01-31"),
            None => {}
        }
    }
    let (Some(next_reconciliation_date), Some(display_alert_from), false) = (next, alert, changes.is_empty()) else {
        return Ok(());
    };
    let dates = Dates { namespace, next_reconciliation_date, display_alert_from };
    let (author, now) = (run.author(), run.now);
    reconciliations::upsert(run.conn, &[dates], &author, now).await?;
    if existing.is_some() {
        run.updated(&what, &changes);
    } else {
        run.added(&what);
    }
    Ok(())
}
