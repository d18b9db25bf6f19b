//! What provisioning changed, as the ledger keeps it: who, what, from, to.

use chrono::NaiveDate;

use super::ids::{NamespaceId, UserId};

/// Who changes something, and in which request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerAuthor {
    /// Who.
    pub actor: LedgerActor,
    /// The request's name in the logs, where there is one.
    pub request_id: Option<String>,
}

/// Who can change what namespaces are provisioned with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerActor {
    /// An administrator with a personal access token.
    Administrator(UserId, String),
    /// CustomersDot with a token that it signed.
    CustomersPortal,
    /// An operator, with a state document.
    Operator,
    /// The job that counts seats.
    SeatRefresh,
}

/// What a namespace can be provisioned with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerRecord {
    /// `gitlab_subscriptions`
    Subscription,
    /// `subscription_add_on_purchases`
    AddOnPurchase,
    /// `ci_minutes_additional_packs`
    MinutesPack,
    /// `upcoming_reconciliations`
    Reconciliation,
    /// `namespaces_storage_limit_exclusions`
    StorageExclusion,
    /// Compute minutes and storage, in `namespaces` and `namespace_limits`
    NamespaceLimits,
}

impl LedgerRecord {
    /// The word in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::AddOnPurchase => "add_on_purchase",
            Self::MinutesPack => "minutes_pack",
            Self::Reconciliation => "reconciliation",
            Self::StorageExclusion => "storage_exclusion",
            Self::NamespaceLimits => "namespace_limits",
        }
    }
}

/// A value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerField {
    /// No value.
    Nothing,
    /// True or false.
    Truth(bool),
    /// A number.
    Whole(i64),
    /// A text.
    Text(String),
    /// A date.
    Day(NaiveDate),
}

/// The values of a record by their names.
pub type LedgerFields = Vec<(&'static str, LedgerField)>;

/// One change of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Whose record it is. What moves between namespaces leaves the one in an entry and arrives in the other by
    /// another.
    pub namespace: NamespaceId,
    /// What kind of record.
    pub record: LedgerRecord,
    /// Its id in its table.
    pub id: i64,
    /// What it was; nothing for a record that is new.
    pub before: Option<LedgerFields>,
    /// What it is; nothing for a record that is gone.
    pub after: Option<LedgerFields>,
}

impl<T: Into<LedgerField>> From<Option<T>> for LedgerField {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

macro_rules! fields {
    ($($from:ty, $value:ident => $field:expr;)+) => {$(
        impl From<$from> for LedgerField {
            fn from($value: $from) -> Self {
                $field
            }
        }
    )+};
}

fields! {
    bool, value => Self::Truth(value);
    i16, value => Self::Whole(value.into());
    i32, value => Self::Whole(value.into());
    i64, value => Self::Whole(value);
    &str, value => Self::Text(value.to_owned());
    String, value => Self::Text(value);
    NaiveDate, value => Self::Day(value);
}
