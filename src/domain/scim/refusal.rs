//! Why somebody is not provisioned, or not taken off: in the words of GitLab's own records, which clients look for.

use crate::domain::membership::JoinDenial;

/// A rule that stands against what a client asks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScimRefusal {
    /// Parameters that must be there, in Ruby's way of writing a list of names.
    #[error("Missing params: [{}]", symbols(.0))]
    Missing(Vec<&'static str>),
    /// The user has another identity in this scope.
    #[error("User has already been taken")]
    UserTaken,
    /// Another account has the address, and nothing shows that it is the same person's.
    #[error("Email has already been taken")]
    EmailTaken,
    /// Another identity in this scope has the id.
    #[error("Extern uid has already been taken")]
    ExternUidTaken,
    /// A value that must say something says nothing.
    #[error("{0} can't be blank")]
    Blank(&'static str),
    /// A value is longer than its column.
    #[error("{0} is too long (maximum is {1} characters)")]
    TooLong(&'static str, usize),
    /// Not an e-mail address.
    #[error("Email is invalid")]
    BadEmail,
    /// The group admits addresses of some domains alone.
    #[error("The member's email address is not allowed for this group. Check with your administrator.")]
    EmailDomain,
    /// The group enforces single sign-on, and the user has no account at its provider.
    #[error("The member's email address is not linked to a SAML account or has an inactive SCIM identity.")]
    NotLinked,
    /// A group keeps an owner.
    #[error("Cannot remove last group owner.")]
    LastOwner,
    /// Others took every name that was tried.
    #[error("Username could not be made unique")]
    NoFreeUsername,
}

impl From<JoinDenial> for ScimRefusal {
    fn from(denial: JoinDenial) -> Self {
        match denial {
            JoinDenial::EmailDomain => Self::EmailDomain,
            JoinDenial::NotLinked => Self::NotLinked,
        }
    }
}

fn symbols(names: &[&str]) -> String {
    names.iter().map(|name| format!(":{name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parameters_are_listed_as_ruby_symbols() {
        assert_eq!(
            ScimRefusal::Missing(vec!["extern_uid", "email"]).to_string(),
            "Missing params: [:extern_uid, :email]"
        );
    }
}
