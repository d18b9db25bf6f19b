//! Who may do what through the public REST API: a table of operations, each with the level that it asks for.

use super::level::{AccessLevel, FeatureLevel, VisibilityLevel};

/// What somebody is to a project or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestStanding {
    /// Their level in it; [`AccessLevel::NO_ACCESS`] for a stranger.
    pub level: AccessLevel,
    /// An administrator, who may do everything.
    pub admin: bool,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident from $level:ident,)+) => {
        /// What is done to a project or a group.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RestOperation {
            $($(#[$doc])* $variant,)+
        }

        impl RestOperation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The lowest level that may do it.
            #[must_use]
            pub fn level(self) -> AccessLevel {
                match self {
                    $(Self::$variant => AccessLevel::$level,)+
                }
            }
        }
    };
}

operations! {
    /// `GET` of a project's rows that all members see.
    ReadMembersOfProject from NO_ACCESS,
    /// Add, change and remove members of a project.
    ManageProjectMembers from MAINTAINER,
    /// Add, change and remove members of a group.
    ManageGroupMembers from OWNER,
    /// Change a project, share it.
    ChangeProject from MAINTAINER,
    /// Who sees a project.
    ChangeProjectVisibility from OWNER,
    /// Archive, transfer and delete a project.
    DisposeOfProject from OWNER,
    /// Change, share, archive, transfer and delete a group.
    ChangeGroup from OWNER,
    /// Protect branches and tags of a project.
    ProtectRefsOfProject from MAINTAINER,
    /// Protect branches of a group.
    ProtectRefsOfGroup from OWNER,
    /// Deploy keys of a project.
    ManageDeployKeys from MAINTAINER,
    /// Web hooks of a project.
    ManageProjectHooks from MAINTAINER,
    /// Web hooks of a group.
    ManageGroupHooks from OWNER,
    /// Push rules of a project.
    ManageProjectPushRule from MAINTAINER,
    /// Push rules of a group.
    ManageGroupPushRule from OWNER,
    /// Access tokens of a project.
    ManageProjectAccessTokens from MAINTAINER,
    /// Access tokens of a group.
    ManageGroupAccessTokens from OWNER,
    /// Deploy tokens of a project, and those of a group to look at.
    ManageProjectDeployTokens from MAINTAINER,
    /// Deploy tokens of a group to look at.
    ReadGroupDeployTokens from MAINTAINER,
    /// Deploy tokens of a group.
    ManageGroupDeployTokens from OWNER,
}

impl RestOperation {
    /// Whether somebody of this standing may do it.
    #[must_use]
    pub fn allows(self, standing: RestStanding) -> bool {
        standing.admin || standing.level >= self.level()
    }
}

/// What somebody may see rests on, of a project and of a group alike.
#[derive(Debug, Clone, Copy)]
pub struct RestSight {
    /// Who may see it.
    pub visibility: VisibilityLevel,
    /// Whether the user belongs to it in any way, be it with a level that opens nothing else.
    pub member: bool,
    /// Whether the user is an external one, for whom what is internal is not.
    pub external: bool,
    /// Whether the user is an administrator.
    pub admin: bool,
}

impl RestSight {
    /// Whether the user sees it at all.
    #[must_use]
    pub fn sees(self) -> bool {
        self.admin
            || self.member
            || match self.visibility {
                VisibilityLevel::Private => false,
                VisibilityLevel::Internal => !self.external,
                VisibilityLevel::Public => true,
            }
    }
}

/// Whether somebody who sees the project may read its code (allowed.md 2.3.1, without what is of git alone).
#[must_use]
pub fn may_read_code(standing: RestStanding, visibility: VisibilityLevel, repository: FeatureLevel) -> bool {
    let open = visibility > VisibilityLevel::Private && repository == FeatureLevel::Enabled;
    let member = visibility > VisibilityLevel::Private && standing.level >= AccessLevel::GUEST;
    repository != FeatureLevel::Disabled && (standing.admin || standing.level >= AccessLevel::PLANNER || open || member)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn what_each_level_may_do() {
        let mut table = String::new();
        for operation in RestOperation::ALL {
            let levels = [("stranger", 0), ("guest", 10), ("planner", 15), ("reporter", 20), ("developer", 30)];
            let levels = levels.into_iter().chain([("maintainer", 40), ("owner", 50)]);
            let lowest = levels
                .clone()
                .find(|(_, level)| operation.allows(RestStanding { level: AccessLevel(*level), admin: false }));
            assert!(operation.allows(RestStanding { level: AccessLevel::NO_ACCESS, admin: true }));
            writeln!(table, "{operation:?}: {}", lowest.unwrap().0).unwrap();
        }
        insta::assert_snapshot!(table, @r"
        ReadMembersOfProject: stranger
        ManageProjectMembers: maintainer
        ManageGroupMembers: owner
        ChangeProject: maintainer
        ChangeProjectVisibility: owner
        DisposeOfProject: owner
        ChangeGroup: owner
        ProtectRefsOfProject: maintainer
        ProtectRefsOfGroup: owner
        ManageDeployKeys: maintainer
        ManageProjectHooks: maintainer
        ManageGroupHooks: owner
        ManageProjectPushRule: maintainer
        ManageGroupPushRule: owner
        ManageProjectAccessTokens: maintainer
        ManageGroupAccessTokens: owner
        ManageProjectDeployTokens: maintainer
        ReadGroupDeployTokens: maintainer
        ManageGroupDeployTokens: owner
        ");
    }

    #[test]
    fn who_reads_code() {
        let mut table = String::new();
        for visibility in [VisibilityLevel::Private, VisibilityLevel::Internal, VisibilityLevel::Public] {
            for repository in [FeatureLevel::Disabled, FeatureLevel::Private, FeatureLevel::Enabled] {
                let may = [0, 10, 15, 20].map(|level| {
                    let standing = RestStanding { level: AccessLevel(level), admin: false };
                    if may_read_code(standing, visibility, repository) { "yes" } else { "no" }
                });
                writeln!(table, "{visibility}, {repository}: {}", may.join(" ")).unwrap();
            }
        }
        insta::assert_snapshot!(table, @r"
        private, off: no no no no
        private, for members: no no yes yes
        private, for all who see the project: no no yes yes
        internal, off: no no no no
        internal, for members: no yes yes yes
        internal, for all who see the project: yes yes yes yes
        public, off: no no no no
        public, for members: no yes yes yes
        public, for all who see the project: yes yes yes yes
        ");
    }
}
