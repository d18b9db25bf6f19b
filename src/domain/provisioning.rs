//! Why a namespace is not provisioned with what was asked for (provisioning.md).

use super::add_on::{AddOn, PurchaseComplaints};
use super::namespace_limits::NamespaceComplaints;
use super::subscription::BlankFields;

/// Why provisioning is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProvisioningRefusal {
    /// The namespace has gone since it was found.
    NamespaceGone,
    /// The namespace that something moves to has gone since it was found.
    TargetGone,
    /// Packs do not move from the one to the other, with the reason.
    NotMoved(&'static str),
    /// Packs of minutes cannot be credited; the client is not told why.
    PacksRefused,
    /// It has no limit on its storage already.
    AlreadyExcluded,
    /// Its storage is limited as it is.
    NotExcluded,
    /// The reason of an exclusion is none.
    ExclusionReason(&'static str),
    /// It has a subscription.
    AlreadySubscribed,
    /// It has no subscription.
    NotSubscribed,
    /// A subscription must have these.
    BlankTerms(BlankFields),
    /// Only roots buy add-ons, and the namespace of this name is none.
    NoRoot(String),
    /// The namespace of this name has bought the add-on.
    AlreadyBought(String, AddOn),
    /// The namespace of this name has not bought the add-on.
    NotBought(String, AddOn),
    /// Another request buys the add-on at this moment.
    BoughtMeanwhile,
    /// The orders of add-ons leave everything as it is.
    NothingToBuy,
    /// What a purchase cannot say.
    PurchaseTerms(PurchaseComplaints),
    /// What a namespace cannot have.
    NamespaceTerms(NamespaceComplaints),
    /// It has no upcoming reconciliation.
    NoReconciliation,
}
