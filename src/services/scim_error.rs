//! Why a change that an identity provider asks for is not made.

use super::retry::StoreFailure;
use crate::domain::membership::JoinDenial;
use crate::domain::scim::refusal::ScimRefusal;
use crate::store;

/// Why nothing was changed about a user.
#[derive(Debug, thiserror::Error)]
pub enum ScimUserError {
    /// The provider calls nobody so.
    #[error("there is no such user")]
    NoSuchUser,
    /// The user has changed since the client read them.
    #[error("the user is not of that version any more")]
    OtherVersion,
    /// A rule stands against it.
    #[error("{refusal}")]
    Refused {
        /// The rule.
        refusal: ScimRefusal,
        /// What people call the user (`users.name`), where the user was found by the provider's id.
        name: Option<String>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl ScimUserError {
    /// The same, about a user of this name.
    #[must_use]
    pub(super) fn about(self, user: &str) -> Self {
        match self {
            Self::Refused { refusal, .. } => Self::Refused { refusal, name: Some(user.to_owned()) },
            other => other,
        }
    }
}

impl From<ScimRefusal> for ScimUserError {
    fn from(refusal: ScimRefusal) -> Self {
        Self::Refused { refusal, name: None }
    }
}

impl From<JoinDenial> for ScimUserError {
    fn from(denial: JoinDenial) -> Self {
        ScimRefusal::from(denial).into()
    }
}

impl StoreFailure for ScimUserError {
    fn store_error(&self) -> Option<&store::Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::NoSuchUser | Self::OtherVersion | Self::Refused { .. } => None,
        }
    }
}

/// Why nothing was changed about a group of the provider.
#[derive(Debug, thiserror::Error)]
pub enum ScimGroupError {
    /// No link has the id.
    #[error("there is no such group")]
    NoSuchGroup,
    /// No link has the name.
    #[error("no SAML group link has the name {0}")]
    NoSuchName(String),
    /// Links of another name have the id.
    #[error("the id is that of a group of another name")]
    UidTaken,
    /// The group has changed since the client read it.
    #[error("the group is not of that version any more")]
    OtherVersion,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl StoreFailure for ScimGroupError {
    fn store_error(&self) -> Option<&store::Error> {
        match self {
            Self::Store(error) => Some(error),
            Self::NoSuchGroup | Self::NoSuchName(_) | Self::UidTaken | Self::OtherVersion => None,
        }
    }
}
