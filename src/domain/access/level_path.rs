//! Where a user's level in a project comes from: the memberships and shares that give it, in words.

use std::fmt;

use chrono::NaiveDate;

use crate::domain::level::AccessLevel;

/// One way in which a user has, or had, a level in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelPath {
    /// The membership itself.
    pub membership: LevelMembership,
    /// The share of a group with the group that has the membership.
    pub group_share: Option<LevelShare>,
    /// The link of the project to the group that the membership reaches.
    pub project_share: Option<LevelShare>,
    /// Why it gives nothing now; none where it gives its level.
    pub idle: Option<IdleReason>,
}

/// A membership, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelMembership {
    /// The full path of the group or project; of a personal namespace, its own.
    pub of: String,
    /// What it says the user is there.
    pub level: AccessLevel,
    /// The namespace is the user's own.
    pub owned: bool,
    /// The day on which it was made, as far as is known.
    pub since: Option<NaiveDate>,
    /// The day on which it ends.
    pub expires_at: Option<NaiveDate>,
    /// The custom role that it has beside the level.
    pub role: Option<String>,
}

/// A share with a group, which caps what its members get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelShare {
    /// The full path of what is shared: a group, or the project.
    pub shared: String,
    /// The full path of the group that it is shared with.
    pub with: String,
    /// The level that nobody gets more than by it.
    pub cap: AccessLevel,
    /// The day on which it ends.
    pub expires_at: Option<NaiveDate>,
}

/// Why a path gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleReason {
    /// The membership or a share of it has had its last day.
    Expired(NaiveDate),
    /// Somebody was asked, or asks, and nobody has said yes.
    Pending,
    /// Minimal access gives nothing in projects.
    Minimal,
    /// The group above the project allows no links.
    ShareLock,
}

impl LevelPath {
    /// Where it comes from. Full paths stand in backticks.
    #[must_use]
    pub fn source(&self) -> LevelSource<'_> {
        LevelSource(self)
    }

    /// The level that it gives, where it gives any.
    #[must_use]
    pub fn level(&self) -> AccessLevel {
        if self.idle.is_some() {
            return AccessLevel::NO_ACCESS;
        }
        let shares = [&self.group_share, &self.project_share];
        shares.into_iter().flatten().fold(self.membership.level, |level, share| level.min(share.cap))
    }
}

/// The level that these paths give together.
#[must_use]
pub fn level_of(paths: &[LevelPath]) -> AccessLevel {
    paths.iter().map(LevelPath::level).max().unwrap_or(AccessLevel::NO_ACCESS)
}

/// Where a path comes from, without the level that it gives.
#[derive(Debug, Clone, Copy)]
pub struct LevelSource<'a>(&'a LevelPath);

impl fmt::Display for LevelPath {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.idle {
            None => write!(out, "{}: ", self.level())?,
            Some(_) => write!(out, "nothing: ")?,
        }
        self.source().fmt(out)
    }
}

impl fmt::Display for LevelSource<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LevelMembership { of, level, owned, since, expires_at, role } = &self.0.membership;
        if *owned {
            write!(out, "`{of}` is their own namespace")?;
        } else {
            write!(out, "{level} of `{of}`")?;
        }
        if let Some(role) = role {
            write!(out, ", custom role {role}")?;
        }
        if let Some(since) = since {
            write!(out, " since {since}")?;
        }
        if let Some(expires_at) = expires_at {
            write!(out, ", expires {expires_at}")?;
        }
        for share in [&self.0.group_share, &self.0.project_share].into_iter().flatten() {
            write!(out, "; `{}` is shared with `{}`, capped at {}", share.shared, share.with, share.cap)?;
            if let Some(expires_at) = share.expires_at {
                write!(out, " until {expires_at}")?;
            }
        }
        match self.0.idle {
            None => Ok(()),
            Some(IdleReason::Expired(day)) => write!(out, "; expired on {day}"),
            Some(IdleReason::Pending) => out.write_str("; not accepted yet"),
            Some(IdleReason::Minimal) => out.write_str("; minimal access gives nothing in projects"),
            Some(IdleReason::ShareLock) => out.write_str("; the group above the project allows no shares of projects"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn member(of: &str, level: AccessLevel) -> LevelPath {
        let membership =
            LevelMembership { of: of.to_owned(), level, owned: false, since: None, expires_at: None, role: None };
        LevelPath { membership, group_share: None, project_share: None, idle: None }
    }

    fn share(shared: &str, with: &str, cap: AccessLevel) -> LevelShare {
        LevelShare { shared: shared.to_owned(), with: with.to_owned(), cap, expires_at: None }
    }

    #[test]
    fn a_path_is_a_sentence() {
        let mut direct = member("acme", AccessLevel::DEVELOPER);
        direct.membership.since = Some(day("2026-03-01"));
        direct.membership.expires_at = Some(day("2027-01-01"));
        direct.membership.role = Some("release manager".to_owned());
        let mut shared = member("acme", AccessLevel::OWNER);
        shared.group_share = Some(share("gnuwget", "acme", AccessLevel::REPORTER));
        let mut linked = shared.clone();
        linked.project_share = Some(share("tools/wget", "gnuwget", AccessLevel::GUEST));
        let mut over = member("acme", AccessLevel::DEVELOPER);
        over.idle = Some(IdleReason::Expired(day("2026-11-30")));
        let own = LevelPath {
            membership: LevelMembership { owned: true, ..member("rubi", AccessLevel::OWNER).membership },
            ..member("rubi", AccessLevel::OWNER)
        };
        let told = [&direct, &shared, &linked, &over, &own].map(ToString::to_string).join("\n");
        insta::assert_snapshot!(told, @r"
        developer: developer of `acme`, custom role release manager since 2026-03-01, expires 2027-01-01
        reporter: owner of `acme`; `gnuwget` is shared with `acme`, capped at reporter
        guest: owner of `acme`; `gnuwget` is shared with `acme`, capped at reporter; `tools/wget` is shared with `gnuwget`, capped at guest
        nothing: developer of `acme`; expired on 2026-11-30
        owner: `rubi` is their own namespace
        ");
        assert_eq!(level_of(&[shared, linked, over]), AccessLevel::REPORTER);
        assert_eq!(level_of(&[]), AccessLevel::NO_ACCESS);
    }
}
