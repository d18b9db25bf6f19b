//! Whose account is an e-mail address? (ruling 17)

use crate::domain::ids::UserId;

/// The account that has an address which a provider sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailOwner {
    /// The user.
    pub id: UserId,
    /// `users.username`
    pub username: String,
    /// The address that was sent is confirmed. To a group, the word of another group's provider confirms nothing.
    pub is_confirmed: bool,
    /// Which tenants made the account or know it.
    pub known: AccountKnownTo,
}

/// Which tenants made an account, or know it at their own providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountKnownTo {
    /// None.
    Nobody,
    /// The one who asks, and no other.
    RequesterAlone,
    /// Others, whoever else.
    Others,
}

impl EmailOwner {
    /// Whether the account may be provisioned as the person that the provider means. Otherwise whoever made an account
    /// with somebody else's address would get what that person's own provider gives.
    #[must_use]
    pub fn may_be_joined(&self) -> bool {
        self.is_confirmed || self.known == AccountKnownTo::RequesterAlone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_proof_until_it_is_confirmed() {
        let joined = |is_confirmed: bool, known: AccountKnownTo| {
            EmailOwner { id: UserId(5), username: "rubi".to_owned(), is_confirmed, known }.may_be_joined()
        };
        for known in [AccountKnownTo::Nobody, AccountKnownTo::RequesterAlone, AccountKnownTo::Others] {
            assert!(joined(true, known), "{known:?}");
            assert_eq!(joined(false, known), known == AccountKnownTo::RequesterAlone, "{known:?}");
        }
    }
}
