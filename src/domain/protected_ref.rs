//! Protected branches and tags: which levels their rules take, and what is said of them.

use super::level::AccessLevel;

/// What one may be allowed to do to protected refs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefRight {
    /// Push to a branch.
    Push,
    /// Merge into it.
    Merge,
    /// Lift its protection, or change it.
    Unprotect,
    /// Create a tag.
    Create,
}

impl RefRight {
    /// The levels that may be named: nobody, developers, maintainers, administrators. Somebody must be able to lift a
    /// protection.
    #[must_use]
    pub fn levels(self) -> &'static [i32] {
        match self {
            Self::Push | Self::Merge | Self::Create => &[0, 30, 40, 60],
            Self::Unprotect => &[30, 40, 60],
        }
    }

    /// How faults begin.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Push => "Push access levels",
            Self::Merge => "Merge access levels",
            Self::Unprotect => "Unprotect access levels",
            Self::Create => "Create access levels",
        }
    }

    /// Whether a deploy key may be named. One pushes, and nothing else.
    #[must_use]
    pub fn takes_deploy_keys(self) -> bool {
        matches!(self, Self::Push | Self::Create)
    }
}

/// The longest name of a rule, in characters.
pub const LONGEST_NAME: usize = 255;

/// What people read of a level.
#[must_use]
pub fn description(level: AccessLevel) -> &'static str {
    match level {
        AccessLevel::NO_ACCESS => "No one",
        AccessLevel::DEVELOPER => "Developers + Maintainers",
        AccessLevel::ADMIN => "Instance admins",
        _ => "Maintainers",
    }
}

/// Why a rule is not made or changed as it was asked for. `Display` is what clients read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtectionFault {
    /// No name, or one that no ref has.
    #[error("Name {0}")]
    Name(&'static str),
    /// The user does not reach the project or group.
    #[error("{noun} user is not a member of the {about}", noun = .0.noun(), about = .1)]
    User(RefRight, &'static str),
    /// The group neither holds the project nor is it shared with it.
    #[error("{noun} group does not have access to the {about}", noun = .0.noun(), about = .1)]
    Group(RefRight, &'static str),
    /// The key is not one of the project's that may push.
    #[error("{noun} deploy key is not enabled for this {about}", noun = .0.noun(), about = .1)]
    DeployKey(RefRight, &'static str),
    /// Somebody or a level is named twice.
    #[error("{noun} {about} has already been taken", noun = .0.noun(), about = .1)]
    Twice(RefRight, &'static str),
    /// The rule has no such row.
    #[error("{noun} is invalid", noun = .0.noun())]
    NoSuchRow(RefRight),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_and_levels_read_as_gitlab_has_them() {
        let fault = |fault: ProtectionFault| fault.to_string();
        assert_eq!(
            fault(ProtectionFault::User(RefRight::Push, "project")),
            "Push access levels user is not a member of the project"
        );
        assert_eq!(
            fault(ProtectionFault::Group(RefRight::Merge, "project")),
            "Merge access levels group does not have access to the project"
        );
        assert_eq!(
            fault(ProtectionFault::DeployKey(RefRight::Create, "project")),
            "Create access levels deploy key is not enabled for this project"
        );
        assert_eq!(
            fault(ProtectionFault::Twice(RefRight::Unprotect, "access level")),
            "Unprotect access levels access level has already been taken"
        );
        assert_eq!(fault(ProtectionFault::Name("has already been taken")), "Name has already been taken");
        let words: Vec<&str> = [0, 30, 40, 60].map(AccessLevel).into_iter().map(description).collect();
        assert_eq!(words, ["No one", "Developers + Maintainers", "Maintainers", "Instance admins"]);
    }
}
