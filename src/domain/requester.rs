//! Who asks for a credential of their own: a user behind a key, or a user by id (shell.md 2.6 to 2.10).

use std::fmt;

use chrono::{DateTime, Utc};

use super::account_lock::is_locked;
use super::ids::{KeyId, UserId};

/// How a request names who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequesterName {
    /// `key_id`
    Key(KeyId),
    /// `user_id`
    User(UserId),
    /// A `user_id` that no user can have.
    NoSuchUser,
    /// Nothing, or a key that cannot be.
    Nobody,
}

/// Who asks, as far as we know them.
#[derive(Debug, Clone)]
pub struct Requester {
    /// How the request names them.
    pub name: RequesterName,
    /// The key, where it may authenticate.
    pub key: Option<RequesterKey>,
    /// The user, or the key's owner.
    pub account: Option<RequesterAccount>,
}

/// The key behind which somebody asks.
#[derive(Debug, Clone, Copy)]
pub struct RequesterKey {
    /// Its id.
    pub id: KeyId,
    /// A deploy key belongs to projects, not to a user.
    pub deploy: bool,
    /// When it was last used, as far as was noted.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The user who asks.
#[derive(Debug, Clone)]
pub struct RequesterAccount {
    /// Their id.
    pub id: UserId,
    /// Their name on this installation.
    pub username: String,
    /// Neither blocked, nor deactivated, nor waiting for an administrator.
    pub active: bool,
    /// When too many wrong passwords locked the account.
    pub locked_at: Option<DateTime<Utc>>,
    /// Whether a one-time password or a security key is set up.
    pub two_factor: bool,
}

/// Why there is no account to speak of. `Display` is what users see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownRequester {
    /// No user has that id.
    User,
    /// No key was named, or none has that id.
    Key,
    /// The key's owner is gone.
    KeyOwner,
}

impl Requester {
    /// Whether a deploy key asks.
    #[must_use]
    pub fn is_deploy_key(&self) -> bool {
        self.key.is_some_and(|key| key.deploy)
    }

    /// The account of the user who asks.
    ///
    /// # Errors
    /// Where there is none.
    pub fn account(&self) -> Result<&RequesterAccount, UnknownRequester> {
        match (self.name, &self.key) {
            (RequesterName::User(_) | RequesterName::NoSuchUser, _) => {
                self.account.as_ref().ok_or(UnknownRequester::User)
            }
            (RequesterName::Key(_), Some(_)) => self.account.as_ref().ok_or(UnknownRequester::KeyOwner),
            (RequesterName::Key(_), None) | (RequesterName::Nobody, _) => Err(UnknownRequester::Key),
        }
    }
}

impl RequesterAccount {
    /// Whether they may log in now.
    #[must_use]
    pub fn may_log_in(&self, now: DateTime<Utc>) -> bool {
        self.active && !self.locked_at.is_some_and(|at| is_locked(at, now))
    }
}

impl fmt::Display for UnknownRequester {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::User => "Could not find the given user",
            Self::Key => "Could not find the given key",
            Self::KeyOwner => "Could not find a user for the given key",
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn account(active: bool, locked_at: Option<DateTime<Utc>>) -> RequesterAccount {
        RequesterAccount { id: UserId(7), username: "rubi".to_owned(), active, locked_at, two_factor: false }
    }

    #[test]
    fn an_account_logs_in_while_it_is_active_and_not_locked() {
        let now = DateTime::UNIX_EPOCH;
        assert!(account(true, None).may_log_in(now));
        assert!(!account(false, None).may_log_in(now));
        assert!(!account(true, Some(now)).may_log_in(now));
        assert!(account(true, Some(now - TimeDelta::minutes(10))).may_log_in(now));
    }

    #[test]
    fn who_is_not_known_is_told_by_what_was_named() {
        let key = |deploy| RequesterKey { id: KeyId(1), deploy, last_used_at: None };
        let requester = |name, key, account| Requester { name, key, account };
        let deploy_key = requester(RequesterName::Key(KeyId(1)), Some(key(true)), None);
        let users_key = requester(RequesterName::Key(KeyId(1)), Some(key(false)), Some(account(true, None)));
        let by_id = requester(RequesterName::User(UserId(7)), None, Some(account(true, None)));
        assert!(deploy_key.is_deploy_key() && !users_key.is_deploy_key() && !by_id.is_deploy_key());
        assert!(users_key.account().is_ok() && by_id.account().is_ok());
        let why = |name, key| requester(name, key, None).account().unwrap_err();
        assert_eq!(why(RequesterName::User(UserId(8)), None), UnknownRequester::User);
        assert_eq!(why(RequesterName::NoSuchUser, None), UnknownRequester::User);
        assert_eq!(why(RequesterName::Key(KeyId(1)), Some(key(false))), UnknownRequester::KeyOwner);
        assert_eq!(why(RequesterName::Key(KeyId(2)), None), UnknownRequester::Key);
        assert_eq!(why(RequesterName::Nobody, None), UnknownRequester::Key);
    }
}
