//! How an account changes its state by an administrator's word, and what is answered (rest.md 3.4).

use chrono::{Days, NaiveDate};

use super::user_type::UserType;

/// What an administrator wants of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// Shut it.
    Block,
    /// Open it again.
    Unblock,
    /// Put it to rest: whoever is not there any more.
    Deactivate,
    /// Wake it.
    Activate,
    /// Shut it, and hide what it wrote.
    Ban,
    /// Take that back.
    Unban,
    /// Let in somebody who waits for that.
    Approve,
}

/// The account that is to change.
#[derive(Debug, Clone, Copy)]
pub struct AccountFacts<'a> {
    /// Its state, in the words of `users.state`.
    pub state: &'a str,
    /// What kind of account it is.
    pub kind: UserType,
    /// It is the account of the administrator who wants the change.
    pub own: bool,
    /// The last day on which something was done with it.
    pub last_activity_on: Option<NaiveDate>,
}

/// What comes of the wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountVerdict {
    /// The account is in this state from now on.
    Becomes(&'static str),
    /// Nothing changes; said is whether that is because the account is so already, or `false`.
    Stays {
        /// The account is so already, in a manner of speaking: `null` is answered, and not `false`.
        already: bool,
    },
    /// It may not be; said with the reason.
    Refused(AccountRefusal),
}

/// Why an account stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountRefusal {
    /// 403 with this behind `403 Forbidden - `.
    Because(&'static str),
    /// 403 with this sentence.
    Sentence(&'static str),
    /// 409 with this sentence.
    Conflict(&'static str),
}

/// Days without activity after which an account may be put to rest.
const REST_AFTER: Days = Days::new(90);

impl AccountChange {
    /// What comes of it.
    #[must_use]
    #[expect(clippy::match_same_arms, reason = "a change after the other, as the contract's table has them")]
    pub fn judge(self, account: AccountFacts<'_>, today: NaiveDate) -> AccountVerdict {
        use AccountRefusal::{Because, Conflict, Sentence};
        use AccountVerdict::{Becomes, Refused, Stays};
        match (self, account.state) {
            (Self::Block, "ldap_blocked") => Refused(Because("LDAP blocked users cannot be modified by the API")),
            (Self::Block, _) if account.own => Refused(Because("The API initiating user cannot be blocked by the API")),
            (Self::Block, "active" | "deactivated") => Becomes("blocked"),
            (Self::Block, _) => Stays { already: true },
            (Self::Unblock, "ldap_blocked") => Refused(Because("LDAP blocked users cannot be unblocked by the API")),
            (Self::Unblock, "deactivated") => Refused(Because("Deactivated users cannot be unblocked by the API")),
            (Self::Unblock, "blocked") => Becomes("active"),
            (Self::Unblock, _) => Stays { already: false },
            (Self::Deactivate, "deactivated") => Stays { already: true },
            (Self::Deactivate, "active") if account.kind.is_internal() => {
                Refused(Sentence("Internal users cannot be deactivated"))
            }
            (Self::Deactivate, "active") => {
                if account.own || account.last_activity_on.is_some_and(|day| day + REST_AFTER > today) {
                    return Refused(Sentence(
                        "The user you are trying to deactivate has been active in the past 90 days and cannot be \
                         deactivated",
                    ));
                }
                Becomes("deactivated")
            }
            (Self::Deactivate, _) => Refused(Sentence("Error occurred. A blocked user cannot be deactivated")),
            (Self::Activate, "deactivated") => Becomes("active"),
            // What is awake is answered like what has been woken.
            (Self::Activate, "active") => Becomes("active"),
            (Self::Activate, _) => {
                Refused(Sentence("Error occurred. A blocked user must be unblocked to be activated"))
            }
            (Self::Ban, "active") if account.own => Refused(Sentence("You cannot ban yourself.")),
            (Self::Ban, "active") => Becomes("banned"),
            (Self::Ban, "blocked") => Refused(Sentence("You cannot ban blocked users.")),
            (Self::Ban, "banned") => Refused(Sentence("You cannot ban banned users.")),
            (Self::Ban, "deactivated") => Refused(Sentence("You cannot ban deactivated users.")),
            (Self::Ban, "ldap_blocked") => Refused(Sentence("You cannot ban ldap_blocked users.")),
            (Self::Ban, _) => Refused(Sentence("You cannot ban blocked_pending_approval users.")),
            (Self::Unban, "banned") => Becomes("active"),
            (Self::Unban, "active") => Refused(Sentence("You cannot unban active users.")),
            (Self::Unban, "deactivated") => Refused(Sentence("You cannot unban deactivated users.")),
            (Self::Unban, _) => Refused(Sentence("You cannot unban blocked users.")),
            (Self::Approve, "blocked_pending_approval") => Becomes("active"),
            (Self::Approve, _) => Refused(Conflict("The user you are trying to approve is not pending approval")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_becomes_of_each_state() {
        let today = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap();
        let changes = [
            AccountChange::Block,
            AccountChange::Unblock,
            AccountChange::Deactivate,
            AccountChange::Activate,
            AccountChange::Ban,
            AccountChange::Unban,
            AccountChange::Approve,
        ];
        let states = ["active", "blocked", "deactivated", "banned", "ldap_blocked", "blocked_pending_approval"];
        let mut table = String::new();
        for change in changes {
            let ends = states.map(|state| {
                let account = AccountFacts { state, kind: UserType::Human, own: false, last_activity_on: None };
                match change.judge(account, today) {
                    AccountVerdict::Becomes(state) => state,
                    AccountVerdict::Stays { already: true } => "(so already)",
                    AccountVerdict::Stays { already: false } => "(not)",
                    AccountVerdict::Refused(AccountRefusal::Conflict(_)) => "409",
                    AccountVerdict::Refused(_) => "403",
                }
            });
            writeln!(table, "{change:?}: {}", ends.join(", ")).unwrap();
        }
        insta::assert_snapshot!(table, @"
        Block: blocked, (so already), blocked, (so already), 403, (so already)
        Unblock: (not), active, 403, (not), 403, (not)
        Deactivate: deactivated, 403, (so already), 403, 403, 403
        Activate: active, 403, active, 403, 403, 403
        Ban: banned, 403, 403, 403, 403, 403
        Unban: 403, 403, 403, active, 403, 403
        Approve: 409, 409, 409, 409, 409, active
        ");
    }

    #[test]
    fn nobody_who_was_there_lately_is_put_to_rest_and_nobody_shuts_themselves_out() {
        let today = NaiveDate::from_ymd_opt(2026, 6, 1).unwrap();
        let judge = |change: AccountChange, own, last_activity_on| {
            change.judge(AccountFacts { state: "active", kind: UserType::Human, own, last_activity_on }, today)
        };
        let days_ago = |days| Some(today - Days::new(days));
        assert!(matches!(judge(AccountChange::Deactivate, false, days_ago(89)), AccountVerdict::Refused(_)));
        assert_eq!(judge(AccountChange::Deactivate, false, days_ago(90)), AccountVerdict::Becomes("deactivated"));
        for change in [AccountChange::Block, AccountChange::Deactivate, AccountChange::Ban] {
            assert!(matches!(judge(change, true, None), AccountVerdict::Refused(_)), "{change:?}");
        }
        let bot = AccountFacts { state: "active", kind: UserType::Ghost, own: false, last_activity_on: None };
        assert!(matches!(AccountChange::Deactivate.judge(bot, today), AccountVerdict::Refused(_)));
    }
}
