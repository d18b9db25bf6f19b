//! `identifier`: whom Gitaly names when it reports on a push.

use super::ActorName;
use crate::domain::ids::{KeyId, UserId};

impl ActorName {
    /// Whom an identifier names: `user-7` or `key-11`. Deploy tokens have no one who acts.
    #[must_use]
    pub fn identified(identifier: &str) -> Self {
        match identifier.split_once('-') {
            Some(("user", user)) => positive(user).map_or(Self::Nobody, |id| Self::User(UserId(id))),
            Some(("key", key)) => positive(key).map_or(Self::Nobody, |id| Self::Key(KeyId(id))),
            _ => Self::Nobody,
        }
    }
}

fn positive(text: &str) -> Option<i64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id > 0)
}
