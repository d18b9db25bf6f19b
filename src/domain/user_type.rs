//! What kind of account a user is, by GitLab's numbers (`users.user_type`).

macro_rules! user_types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal,)+) => {
        /// What kind of account a user is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum UserType {
            $($(#[$doc])* $variant,)+
            /// A type that a newer version of GitLab added, with its number.
            Other(i16),
        }

        impl UserType {
            /// The type that a `user_type` column holds.
            #[must_use]
            pub const fn from_number(number: i16) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// What the column holds.
            #[must_use]
            pub const fn number(self) -> i16 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => number,
                }
            }
        }
    };
}

user_types! {
    /// A person.
    Human = 0,
    /// The author of issues that came by e-mail.
    SupportBot = 1,
    /// The author of incidents that an alert opened.
    AlertBot = 2,
    /// The author of visual reviews.
    VisualReviewBot = 3,
    /// An account of a service of GitLab.com.
    ServiceUser = 4,
    /// The owner of what has no owner any more.
    Ghost = 5,
    /// The account behind a project or group access token.
    ProjectBot = 6,
    /// The author of what a migration wrote.
    MigrationBot = 7,
    /// The author of automatic fixes of vulnerabilities, who pushes.
    SecurityBot = 8,
    /// The author of what automation wrote.
    AutomationBot = 9,
    /// The author of pipelines that a policy asks for.
    SecurityPolicyBot = 10,
    /// The author of what the installation does by itself.
    AdminBot = 11,
    /// The author of suggested reviewers.
    SuggestedReviewersBot = 12,
    /// An account that people make for an integration.
    ServiceAccount = 13,
    /// The author of what a language model wrote.
    LlmBot = 14,
    /// The author of imported contributions that nobody has claimed.
    Placeholder = 15,
    /// The author of automatic code reviews.
    DuoCodeReviewBot = 16,
    /// The author of what an import wrote.
    ImportUser = 17,
}

impl UserType {
    /// Whether the account is a person's. The rules that spare bots spare every other type.
    #[must_use]
    pub fn is_human(self) -> bool {
        self == Self::Human
    }

    /// Whether the installation made the account for itself. Project bots and service accounts act through their
    /// tokens; the installation's own accounts never do.
    #[must_use]
    pub fn is_internal(self) -> bool {
        !matches!(self, Self::Human | Self::ServiceUser | Self::ProjectBot | Self::ServiceAccount)
    }

    /// Whether the account may use git: all but internal ones, and of those the security bot, who pushes fixes.
    #[must_use]
    pub fn may_use_git(self) -> bool {
        !self.is_internal() || self == Self::SecurityBot
    }

    /// Whether the account takes a seat of a subscription.
    #[must_use]
    pub fn takes_seat(self) -> bool {
        matches!(self, Self::Human | Self::ServiceUser)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_type_has_its_number_and_its_rights() {
        let mut table = String::new();
        for number in 0..=18 {
            let user_type = UserType::from_number(number);
            assert_eq!(user_type.number(), number);
            let mark = |is: bool, word: &'static str| if is { word } else { "-" };
            let (human, internal) = (mark(user_type.is_human(), "human"), mark(user_type.is_internal(), "internal"));
            let (git, seat) = (mark(user_type.may_use_git(), "git"), mark(user_type.takes_seat(), "seat"));
            writeln!(table, "{user_type:?} {number}: {human} {internal} {git} {seat}").unwrap();
        }
        insta::assert_snapshot!(table, @"
        Human 0: human - git seat
        SupportBot 1: - internal - -
        AlertBot 2: - internal - -
        VisualReviewBot 3: - internal - -
        ServiceUser 4: - - git seat
        Ghost 5: - internal - -
        ProjectBot 6: - - git -
        MigrationBot 7: - internal - -
        SecurityBot 8: - internal git -
        AutomationBot 9: - internal - -
        SecurityPolicyBot 10: - internal - -
        AdminBot 11: - internal - -
        SuggestedReviewersBot 12: - internal - -
        ServiceAccount 13: - - git -
        LlmBot 14: - internal - -
        Placeholder 15: - internal - -
        DuoCodeReviewBot 16: - internal - -
        ImportUser 17: - internal - -
        Other(18) 18: - internal - -
        ");
    }
}
