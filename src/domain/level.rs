//! Access levels and visibility, ordered as GitLab orders them.

use std::fmt;

/// How much a member may do. Values between the named ones are kept: newer versions add levels there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessLevel(pub i32);

impl AccessLevel {
    /// Not a member.
    pub const NO_ACCESS: Self = Self(0);
    /// Reads what members see, but not the code of private projects.
    pub const GUEST: Self = Self(10);
    /// Plans work; reads code and writes wikis.
    pub const PLANNER: Self = Self(15);
    /// Reads everything.
    pub const REPORTER: Self = Self(20);
    /// Pushes.
    pub const DEVELOPER: Self = Self(30);
    /// Manages the project.
    pub const MAINTAINER: Self = Self(40);
    /// Owns it.
    pub const OWNER: Self = Self(50);
    /// An administrator of the instance; a level of protections alone.
    pub const ADMIN: Self = Self(60);
}

impl fmt::Display for AccessLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match *self {
            Self::NO_ACCESS => "no access",
            Self(5) => "minimal access",
            Self::GUEST => "guest",
            Self::PLANNER => "planner",
            Self::REPORTER => "reporter",
            Self::DEVELOPER => "developer",
            Self::MAINTAINER => "maintainer",
            Self::OWNER => "owner",
            Self::ADMIN => "administrator",
            Self(other) => return write!(out, "level {other}"),
        })
    }
}

/// Who may see a project or a snippet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VisibilityLevel {
    /// Its members.
    Private,
    /// Every signed-in user who is not external.
    Internal,
    /// Everybody.
    Public,
}

impl VisibilityLevel {
    /// The visibility that a `visibility_level` column holds. An unknown level hides.
    #[must_use]
    pub fn from_level(level: i32) -> Self {
        match level {
            10 => Self::Internal,
            20 => Self::Public,
            _ => Self::Private,
        }
    }
}

impl fmt::Display for VisibilityLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Private => "private",
            Self::Internal => "internal",
            Self::Public => "public",
        })
    }
}

/// Who may use a feature of a project that they can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeatureLevel {
    /// Nobody.
    Disabled,
    /// Members.
    Private,
    /// Everybody who sees the project.
    Enabled,
}

impl fmt::Display for FeatureLevel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Disabled => "off",
            Self::Private => "for members",
            Self::Enabled => "for all who see the project",
        })
    }
}

impl FeatureLevel {
    /// The level that a `*_access_level` column holds; none means enabled.
    #[must_use]
    pub fn from_level(level: Option<i32>) -> Self {
        match level {
            Some(0) => Self::Disabled,
            Some(10) => Self::Private,
            _ => Self::Enabled,
        }
    }
}
