//! Whose account is an e-mail address? (ruling 17)

use crate::domain::ids::UserId;

/// The account that has an address which a provider sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub id: UserId,
    /// `users.username`
    pub username: String,
    /// Their first address, whichever was sent.
    pub email: String,
    /// Not a person: a bot or a service account.
    pub is_bot: bool,
    /// The address that was sent is confirmed. To a group, the word of another group's provider confirms nothing.
    pub is_confirmed: bool,
    /// The tenant who asks made the account, or knows it at its own provider.
    pub is_known_here: bool,
    /// Another tenant did, or does.
    pub is_known_elsewhere: bool,
}

impl Holder {
    /// Whether the account may be taken on as the person whom the provider means. Otherwise whoever made an account with
    /// somebody else's address would get what that person's own provider gives.
    #[must_use]
    pub fn may_be_joined(&self) -> bool {
        self.is_confirmed || (self.is_known_here && !self.is_known_elsewhere)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_proof_until_it_is_confirmed() {
        let mut rows = String::new();
        for is_confirmed in [true, false] {
            for (is_known_here, is_known_elsewhere) in [(false, false), (true, false), (false, true), (true, true)] {
                let holder = Holder {
                    id: UserId(5),
                    username: "rubi".to_owned(),
                    email: "rubi@example.com".to_owned(),
                    is_bot: false,
                    is_confirmed,
                    is_known_here,
                    is_known_elsewhere,
                };
                let says = |known: bool| if known { "known" } else { "-" };
                rows += &format!(
                    "{:9} {:6} {:6} {}\n",
                    if is_confirmed { "confirmed" } else { "-" },
                    says(is_known_here),
                    says(is_known_elsewhere),
                    if holder.may_be_joined() { "joined" } else { "refused" },
                );
            }
        }
        // the address, here, elsewhere
        insta::assert_snapshot!(rows, @"
        confirmed -      -      joined
        confirmed known  -      joined
        confirmed -      known  joined
        confirmed known  known  joined
        -         -      -      refused
        -         known  -      joined
        -         -      known  refused
        -         known  known  refused
        ");
    }
}
