//! What a client is told where a change of a user is not made.

use crate::domain::scim::refusal::ScimRefusal;
use crate::http::scim::error::ScimError;
use crate::services::scim_refusal::{ScimUserError, ScimUserRefusal};

/// The error of a change of the user with this id in the URL; `refused` words a rule that stands against it, with the
/// name that people call the user by.
pub fn translate(error: ScimUserError, id: &str, refused: impl FnOnce(&str, ScimRefusal) -> ScimError) -> ScimError {
    match error {
        ScimUserError::Refused(ScimUserRefusal::NoSuchUser) => ScimError::NoSuchResource(id.to_owned()),
        ScimUserError::Refused(ScimUserRefusal::OtherVersion) => ScimError::Changed,
        ScimUserError::Refused(ScimUserRefusal::Rule { refusal, name }) => {
            refused(name.as_deref().unwrap_or_default(), refusal)
        }
        ScimUserError::Store(error) => error.into(),
    }
}
