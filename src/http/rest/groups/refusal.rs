//! Why a group is not made, changed, moved or shared, as clients are told.

use std::fmt::Write as _;

use axum::http::StatusCode;

use crate::domain::record_faults::RecordFaults;
use crate::http::rest::fault::RestRefusal;
use crate::services::delete_group_or_project::{DeletionRefusal, MOST_AT_ONCE};
use crate::services::move_group::MoveRefusal;
use crate::services::share_with_group::ShareRefusal;
use crate::services::write_group::GroupRefusal;
use crate::services::{ServiceError, ServiceResult};

impl From<GroupRefusal> for RestRefusal {
    fn from(refusal: GroupRefusal) -> Self {
        match refusal {
            GroupRefusal::NoSuchGroup => Self::NotFound("Group"),
            GroupRefusal::Faults(faults) => faults.into(),
        }
    }
}

/// The answer to what could not be made: all that is wrong is one text, as Ruby prints a hash.
pub fn made<T>(made: ServiceResult<T, GroupRefusal>) -> Result<T, RestRefusal> {
    made.map_err(|error| match error {
        ServiceError::Refused(GroupRefusal::Faults(faults)) => {
            let text = format!("Failed to save group {}", ruby_hash(&faults));
            RestRefusal::Message(StatusCode::BAD_REQUEST, text.into())
        }
        error => error.into(),
    })
}

fn ruby_hash(faults: &RecordFaults) -> String {
    let mut text = String::from("{");
    for (index, (field, faults)) in faults.iter().enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        let listed: Vec<String> =
            faults.iter().map(|fault| serde_json::Value::from(fault.as_str()).to_string()).collect();
        let _ = write!(text, "{comma}:{field}=>[{}]", listed.join(", "));
    }
    text + "}"
}

impl From<MoveRefusal> for RestRefusal {
    fn from(refusal: MoveRefusal) -> Self {
        match refusal {
            MoveRefusal::NoSuchGroup => Self::NotFound("Group"),
            MoveRefusal::Forbidden => Self::Forbidden,
            MoveRefusal::Impossible(sentence) => {
                Self::Message(StatusCode::BAD_REQUEST, format!("Transfer failed: {sentence}").into())
            }
            MoveRefusal::Archived => Self::Unprocessable(Some("Group is already archived!".to_owned())),
            MoveRefusal::NotArchived => Self::Unprocessable(Some("Group is not archived!".to_owned())),
        }
    }
}

impl From<ShareRefusal> for RestRefusal {
    fn from(refusal: ShareRefusal) -> Self {
        match refusal {
            ShareRefusal::NoSuchPlace | ShareRefusal::OutsideHierarchy => Self::Hidden,
            ShareRefusal::NoSuchGroup => Self::NotFound("Group"),
            ShareRefusal::Locked => {
                Self::Message(StatusCode::BAD_REQUEST, "The project sharing with group is disabled".into())
            }
            ShareRefusal::SharedAlready => {
                Self::Conflict("Shared group The group has already been shared with this group".to_owned())
            }
            ShareRefusal::NotShared => Self::NotFound("Group Link"),
            ShareRefusal::AboveOneself => Self::Forbidden,
            ShareRefusal::Faults(faults) => faults.into(),
        }
    }
}

impl From<DeletionRefusal> for RestRefusal {
    fn from(refusal: DeletionRefusal) -> Self {
        let bad = |sentence: &str| Self::Message(StatusCode::BAD_REQUEST, sentence.into());
        match refusal {
            DeletionRefusal::Gone => Self::NothingFound,
            DeletionRefusal::Subscribed => bad("This group can't be removed because it is linked to a subscription."),
            DeletionRefusal::MarkedAlready => bad("Group has been already marked for deletion"),
            DeletionRefusal::NotMarked => bad("Group must be marked for deletion first."),
            DeletionRefusal::TooLarge(projects) => bad(&format!(
                "This group has {projects} projects, and at most {MOST_AT_ONCE} are deleted at once. Delete some of what \
                 is in it first."
            )),
            DeletionRefusal::RootGroup => bad("`permanently_remove` option is only available for subgroups."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_new_group_is_told_as_ruby_prints_it() {
        let mut faults = RecordFaults::default();
        faults.add("path", "has already been taken");
        faults.add("name", "can't be blank");
        faults.add("path", "is \"odd\"");
        let text = ruby_hash(&faults);
        assert_eq!(text, r#"{:path=>["has already been taken", "is \"odd\""], :name=>["can't be blank"]}"#);
    }
}
