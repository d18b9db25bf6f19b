//! Access tokens of projects and groups: what they may do, and the bots that have them.

use std::fmt;

use chrono::{Days, NaiveDate};

use super::level::AccessLevel;
use super::personal_access_token::{EndsTooLate, TokenPolicy};

/// The scopes that a token of a project or group may have.
pub const SCOPES: [&str; 13] = [
    "api",
    "read_api",
    "read_repository",
    "write_repository",
    "read_registry",
    "write_registry",
    "read_virtual_registry",
    "write_virtual_registry",
    "create_runner",
    "manage_runner",
    "ai_features",
    "k8s_proxy",
    "self_rotate",
];

/// The levels that a bot may have.
pub const LEVELS: [i32; 6] = [10, 15, 20, 30, 40, 50];

/// Days for which bots stay once their last token has ended, so that it is still listed.
pub const KEPT_DAYS: u64 = 30;

/// Days that a token lives whose rotation names no end.
const ROTATED_FOR: u64 = 7;

/// What a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenResource {
    /// A project, with its id.
    Project(i64),
    /// A group, with its id.
    Group(i64),
}

impl TokenResource {
    /// GitLab's word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Group(_) => "group",
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(self) -> i64 {
        let (Self::Project(id) | Self::Group(id)) = self;
        id
    }

    /// What a new bot of it is called, by 16 bytes that nobody has drawn before.
    #[must_use]
    pub fn bot_username(self, random: [u8; 16]) -> String {
        format!("{}_{}_bot_{}", self.word(), self.id(), super::token::hex(&random))
    }
}

/// Why a token is not made, rotated or taken back. `Display` is what clients read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTokenFault {
    /// Bots make none.
    NotPermitted(TokenResource),
    /// The maker has a lower level.
    LevelAboveOwn,
    /// The one who rotates has a lower level.
    NotEligible,
    /// It is revoked.
    Revoked,
    /// The end is later than this one, the last that is allowed.
    TooLong(NaiveDate),
}

impl fmt::Display for AccessTokenFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted(resource) => {
                write!(out, "User does not have permission to create {} access token", resource.word())
            }
            Self::LevelAboveOwn => {
                out.write_str("Access level of the token contains permissions not held by the creating user")
            }
            Self::NotEligible => out.write_str("Not eligible to rotate token with access level higher than the user"),
            Self::Revoked => out.write_str("Token already revoked"),
            Self::TooLong(last) => write!(out, "Expiration date must be before {last}"),
        }
    }
}

/// The end of a token that takes the place of another: the one that is wanted, or a week from today, where that is not
/// too late.
///
/// # Errors
/// Where the day is later than the last that is allowed.
pub fn rotated_end(
    wanted: Option<NaiveDate>,
    policy: &TokenPolicy,
    today: NaiveDate,
) -> Result<Option<NaiveDate>, EndsTooLate> {
    let last = policy.last_day(today);
    let usual = today.checked_add_days(Days::new(ROTATED_FOR)).map(|day| last.map_or(day, |last| day.min(last)));
    policy.end(wanted.or(usual), today)
}

/// Whether somebody of that level may have a token of this one made or rotated.
#[must_use]
pub fn covers(own: AccessLevel, admin: bool, token: AccessLevel) -> bool {
    admin || own >= token
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_token_lives_for_a_week_or_as_long_as_it_may() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 6, day).unwrap();
        let policy = |longest| TokenPolicy { longest, ..TokenPolicy::default() };
        assert_eq!(rotated_end(None, &policy(None), day(1)), Ok(Some(day(8))));
        assert_eq!(rotated_end(None, &policy(Some(3)), day(1)), Ok(Some(day(4))));
        assert_eq!(rotated_end(Some(day(1)), &policy(None), day(1)), Ok(Some(day(1))), "dead at birth");
        assert_eq!(rotated_end(Some(day(5)), &policy(Some(3)), day(1)), Err(EndsTooLate(day(4))));
    }

    #[test]
    fn nobody_hands_out_more_than_they_have() {
        assert!(covers(AccessLevel::MAINTAINER, false, AccessLevel::MAINTAINER));
        assert!(!covers(AccessLevel::MAINTAINER, false, AccessLevel::OWNER));
        assert!(covers(AccessLevel::NO_ACCESS, true, AccessLevel::OWNER));
        assert_eq!(TokenResource::Group(7).bot_username([255; 16]), format!("group_7_bot_{}", "f".repeat(32)));
    }
}
