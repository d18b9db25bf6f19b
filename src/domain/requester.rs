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
