//! What is said where a namespace is not provisioned with what was asked for.

use axum::http::StatusCode;

use crate::domain::provisioning::ProvisioningRefusal;
use crate::http::error::ApiError;
use crate::services::ServiceError;

impl From<ServiceError<ProvisioningRefusal>> for ApiError {
    fn from(error: ServiceError<ProvisioningRefusal>) -> Self {
        match error {
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<ProvisioningRefusal> for ApiError {
    fn from(refusal: ProvisioningRefusal) -> Self {
        let not_found = |what: &str| Self::Refused(StatusCode::NOT_FOUND, format!("404 {what} Not Found"));
        let bad = |reason: &str| Self::BadRequest(reason.to_owned());
        let wrong = |name, complaint: &str| Self::InvalidRecord(vec![(name, complaint.to_owned())]);
        match refusal {
            ProvisioningRefusal::NamespaceGone => not_found("Namespace"),
            ProvisioningRefusal::TargetGone => not_found("Target namespace"),
            ProvisioningRefusal::NotSubscribed => not_found("GitlabSubscription"),
            ProvisioningRefusal::NoReconciliation => Self::NotFound,
            ProvisioningRefusal::NotMoved(reason) => bad(reason),
            ProvisioningRefusal::PacksRefused => bad("Unable to save additional packs"),
            ProvisioningRefusal::AlreadyExcluded => bad("already excluded"),
            ProvisioningRefusal::NotExcluded => bad("not excluded"),
            ProvisioningRefusal::ExclusionReason(complaint) => wrong("reason", complaint),
            ProvisioningRefusal::AlreadySubscribed => wrong("namespace_id", "has already been taken"),
            ProvisioningRefusal::BlankTerms(names) => {
                Self::InvalidRecord(names.into_iter().map(|name| (name, "can't be blank".to_owned())).collect())
            }
            ProvisioningRefusal::NoRoot(namespace) => bad(&format!("Namespace {namespace} is not a root namespace")),
            ProvisioningRefusal::AlreadyBought(namespace, add_on) => bad(&format!(
                "Add-on purchase for namespace {namespace} and add-on {} already exists, update the existing record",
                add_on.title()
            )),
            ProvisioningRefusal::NotBought(namespace, add_on) => bad(&format!(
                "Add-on purchase for namespace {namespace} and add-on {} does not exist, create a new record instead",
                add_on.title()
            )),
            ProvisioningRefusal::BoughtMeanwhile => bad("The add-on is bought by another request"),
            ProvisioningRefusal::NothingToBuy => bad("No add-on purchases to save"),
            ProvisioningRefusal::PurchaseTerms(complaints) | ProvisioningRefusal::NamespaceTerms(complaints) => {
                Self::InvalidRecord(complaints)
            }
        }
    }
}
