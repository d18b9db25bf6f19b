//! How many compute minutes and how much storage a namespace has (provisioning.md 7).

use chrono::NaiveDate;

use super::ids::NamespaceId;
use super::ledger::LedgerFields;
use super::record_faults::BLANK;

/// What is said of a number below 0: what somebody pays for cannot be taken away by buying less than nothing.
const TOO_SMALL: &str = "must be greater than or equal to 0";

/// What a namespace has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamespaceLimits {
    /// Compute minutes a month; nothing where the installation says it.
    pub shared_runners_minutes_limit: Option<i32>,
    /// Compute minutes beyond those.
    pub extra_shared_runners_minutes_limit: Option<i32>,
    /// Megabytes of storage that were bought.
    pub additional_purchased_storage_size: i64,
    /// The last day of them.
    pub additional_purchased_storage_ends_on: Option<NaiveDate>,
}

/// What a request states of them: nothing, null, or a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct StatedLimits {
    pub shared_runners_minutes_limit: Option<Option<i32>>,
    pub extra_shared_runners_minutes_limit: Option<Option<i32>>,
    pub additional_purchased_storage_size: Option<Option<i64>>,
    pub additional_purchased_storage_ends_on: Option<Option<NaiveDate>>,
}

/// What a namespace cannot have, by its name in GitLab.
pub type NamespaceComplaints = Vec<(&'static str, String)>;

impl StatedLimits {
    /// Whether anything is said.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn says_something_of_storage(&self) -> bool {
        self.additional_purchased_storage_size.is_some() || self.additional_purchased_storage_ends_on.is_some()
    }
}

impl NamespaceLimits {
    /// What a request makes of them. Of a tree, only the root has storage and minutes a month.
    ///
    /// # Errors
    /// What the namespace cannot have.
    pub fn with(&self, stated: &StatedLimits, is_root: bool) -> Result<Self, NamespaceComplaints> {
        let size = stated.additional_purchased_storage_size.unwrap_or(Some(self.additional_purchased_storage_size));
        let after = Self {
            shared_runners_minutes_limit: stated
                .shared_runners_minutes_limit
                .unwrap_or(self.shared_runners_minutes_limit),
            extra_shared_runners_minutes_limit: stated
                .extra_shared_runners_minutes_limit
                .unwrap_or(self.extra_shared_runners_minutes_limit),
            additional_purchased_storage_size: size.unwrap_or_default(),
            additional_purchased_storage_ends_on: stated
                .additional_purchased_storage_ends_on
                .unwrap_or(self.additional_purchased_storage_ends_on),
        };
        let below = |number: Option<i32>| number.is_some_and(|number| number < 0);
        let minutes_change = after.shared_runners_minutes_limit != self.shared_runners_minutes_limit;
        let storage = "namespace_limit.additional_purchased_storage_size";
        let rules = [
            (minutes_change && !is_root, "shared_runners_minutes_limit", "is not supported for this namespace"),
            (below(after.shared_runners_minutes_limit), "shared_runners_minutes_limit", TOO_SMALL),
            (below(after.extra_shared_runners_minutes_limit), "extra_shared_runners_minutes_limit", TOO_SMALL),
            (size.is_none(), storage, BLANK),
            (after.additional_purchased_storage_size < 0, storage, TOO_SMALL),
            (stated.says_something_of_storage() && !is_root, "namespace_limit.namespace", "must be a root namespace"),
        ];
        let broken = rules.into_iter().filter(|(broken, ..)| *broken);
        let complaints: NamespaceComplaints = broken.map(|(_, name, said)| (name, said.to_owned())).collect();
        if complaints.is_empty() { Ok(after) } else { Err(complaints) }
    }

    /// Its values, as the ledger keeps them; nothing where nothing was ever given.
    #[must_use]
    pub fn fields(&self) -> Option<LedgerFields> {
        if *self == Self::default() {
            return None;
        }
        Some(vec![
            ("shared_runners_minutes_limit", self.shared_runners_minutes_limit.into()),
            ("extra_shared_runners_minutes_limit", self.extra_shared_runners_minutes_limit.into()),
            ("additional_purchased_storage_size", self.additional_purchased_storage_size.into()),
            ("additional_purchased_storage_ends_on", self.additional_purchased_storage_ends_on.into()),
        ])
    }
}

/// The limits of a namespace before and after a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsChange {
    /// Whose they are.
    pub namespace: NamespaceId,
    /// As they were.
    pub before: NamespaceLimits,
    /// As they are to be.
    pub after: NamespaceLimits,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(size: Option<i64>) -> StatedLimits {
        StatedLimits { additional_purchased_storage_size: Some(size), ..StatedLimits::default() }
    }

    fn minutes(limit: Option<i32>) -> StatedLimits {
        StatedLimits { shared_runners_minutes_limit: Some(limit), ..StatedLimits::default() }
    }

    fn said(result: Result<NamespaceLimits, NamespaceComplaints>) -> Vec<String> {
        result.unwrap_err().into_iter().map(|(name, said)| format!("{name} {said}")).collect()
    }

    #[test]
    fn what_is_not_said_stays() {
        let had = NamespaceLimits { extra_shared_runners_minutes_limit: Some(5), ..NamespaceLimits::default() };
        let has = had.with(&storage(Some(10)), true).unwrap();
        assert_eq!((has.extra_shared_runners_minutes_limit, has.additional_purchased_storage_size), (Some(5), 10));
        assert_eq!(has.with(&minutes(None), true), Ok(has.clone()));
        assert_eq!(NamespaceLimits::default().fields(), None);
        assert_eq!(has.fields().unwrap().len(), 4);
    }

    #[test]
    fn nobody_buys_less_than_nothing() {
        let none = NamespaceLimits::default();
        assert_eq!(
            said(none.with(&minutes(Some(-1)), true)),
            ["shared_runners_minutes_limit must be greater than or equal to 0"]
        );
        assert_eq!(
            said(none.with(&storage(Some(-1)), true)),
            ["namespace_limit.additional_purchased_storage_size must be greater than or equal to 0"]
        );
        assert_eq!(
            said(none.with(&storage(None), true)),
            ["namespace_limit.additional_purchased_storage_size can't be blank"]
        );
    }

    #[test]
    fn a_subgroup_has_what_its_root_has() {
        let none = NamespaceLimits::default();
        assert_eq!(
            said(none.with(&minutes(Some(1)), false)),
            ["shared_runners_minutes_limit is not supported for this namespace"]
        );
        assert_eq!(said(none.with(&storage(Some(1)), false)), ["namespace_limit.namespace must be a root namespace"]);
        assert_eq!(none.with(&minutes(None), false), Ok(none));
    }
}
