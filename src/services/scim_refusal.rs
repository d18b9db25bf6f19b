//! Why a change that an identity provider asks for is not made.

use super::ServiceError;
use crate::domain::membership::JoinDenial;
use crate::domain::scim::refusal::ScimRefusal;

/// Why nothing was changed about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimUserRefusal {
    /// The provider calls nobody so.
    NoSuchUser,
    /// The user has changed since the client read them.
    OtherVersion,
    /// A rule stands against it.
    Rule {
        /// The rule.
        refusal: ScimRefusal,
        /// What people call the user (`users.name`), where the user was found by the provider's id.
        name: Option<String>,
    },
}

/// Why a change of a user was not made.
pub type ScimUserError = ServiceError<ScimUserRefusal>;

impl ScimUserError {
    /// The same, about a user of this name.
    #[must_use]
    pub(super) fn about(self, user: &str) -> Self {
        match self {
            Self::Refused(ScimUserRefusal::Rule { refusal, .. }) => {
                Self::Refused(ScimUserRefusal::Rule { refusal, name: Some(user.to_owned()) })
            }
            other => other,
        }
    }
}

impl From<ScimRefusal> for ScimUserError {
    fn from(refusal: ScimRefusal) -> Self {
        Self::Refused(ScimUserRefusal::Rule { refusal, name: None })
    }
}

impl From<JoinDenial> for ScimUserError {
    fn from(denial: JoinDenial) -> Self {
        ScimRefusal::from(denial).into()
    }
}

/// Why nothing was changed about a group of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimGroupRefusal {
    /// No link has the id.
    NoSuchGroup,
    /// No link has this name.
    NoSuchName(String),
    /// Links of another name have the id.
    UidTaken,
    /// The group has changed since the client read it.
    OtherVersion,
}

/// Why a change of a group was not made.
pub type ScimGroupError = ServiceError<ScimGroupRefusal>;
