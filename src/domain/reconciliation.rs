//! Upcoming reconciliations: which of a list can be written, and what is said of the others (provisioning.md 5).

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::ids::NamespaceId;
use super::ledger::LedgerFields;

/// A reconciliation as a request states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct ReconciliationRequest {
    pub namespace: NamespaceId,
    pub next_reconciliation_date: Option<NaiveDate>,
    pub display_alert_from: Option<NaiveDate>,
}

/// When the seats of a namespace are reckoned up next, and from when on its owners are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct UpcomingReconciliation {
    pub namespace: NamespaceId,
    pub next_reconciliation_date: NaiveDate,
    pub display_alert_from: NaiveDate,
}

impl UpcomingReconciliation {
    /// The reconciliation as the ledger keeps it.
    #[must_use]
    pub fn fields(&self) -> LedgerFields {
        vec![
            ("next_reconciliation_date", self.next_reconciliation_date.into()),
            ("display_alert_from", self.display_alert_from.into()),
        ]
    }
}

/// What becomes of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedReconciliations {
    /// What can be written, in the order of namespaces, so that two lists at once do not wait for each other.
    pub good: Vec<UpcomingReconciliation>,
    /// What is wrong, by the namespaces that it was said of.
    pub wrong: Vec<(NamespaceId, Vec<&'static str>)>,
    /// Whether two good elements are for the same namespace; then none is written.
    pub repeats: bool,
}

/// Judges each element of a list by itself.
#[must_use]
pub fn judge(wanted: &[ReconciliationRequest], existing: &BTreeSet<NamespaceId>) -> JudgedReconciliations {
    let mut judged = JudgedReconciliations::default();
    for wanted in wanted {
        match one(wanted, existing) {
            Ok(good) => judged.good.push(good),
            Err(wrong) => judged.wrong.push((wanted.namespace, wrong)),
        }
    }
    judged.good.sort_by_key(|good| good.namespace);
    judged.repeats = judged.good.windows(2).any(|pair| pair[0].namespace == pair[1].namespace);
    judged
}

fn one(
    wanted: &ReconciliationRequest,
    existing: &BTreeSet<NamespaceId>,
) -> Result<UpcomingReconciliation, Vec<&'static str>> {
    let mut wrong = Vec::new();
    if !existing.contains(&wanted.namespace) {
        wrong.push("Namespace can't be blank");
    }
    if wanted.next_reconciliation_date.is_none() {
        wrong.push("Next reconciliation date can't be blank");
    }
    if wanted.display_alert_from.is_none() {
        wrong.push("Display alert from can't be blank");
    }
    match (wanted.next_reconciliation_date, wanted.display_alert_from) {
        (Some(next_reconciliation_date), Some(display_alert_from)) if wrong.is_empty() => {
            Ok(UpcomingReconciliation { namespace: wanted.namespace, next_reconciliation_date, display_alert_from })
        }
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_judged_by_itself_and_the_good_are_sorted() {
        let day = NaiveDate::from_ymd_opt(2021, 6, 13);
        let wanted = |id, next_reconciliation_date, display_alert_from| ReconciliationRequest {
            namespace: NamespaceId(id),
            next_reconciliation_date,
            display_alert_from,
        };
        let existing = BTreeSet::from([NamespaceId(1), NamespaceId(2)]);
        let judged = judge(&[wanted(2, day, day), wanted(9, None, day), wanted(1, day, day)], &existing);
        assert_eq!(judged.good.iter().map(|good| good.namespace.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(
            judged.wrong,
            [(NamespaceId(9), vec!["Namespace can't be blank", "Next reconciliation date can't be blank"])]
        );
        assert!(!judged.repeats);
        assert!(judge(&[wanted(1, day, day), wanted(2, day, day), wanted(1, day, day)], &existing).repeats);
        assert!(
            !judge(&[wanted(1, day, day), wanted(1, day, None)], &existing).repeats,
            "one that is wrong is skipped"
        );
    }
}
