//! May this user make a project in this namespace, as a push to a path without one asks (allowed.md 2.5)?

use super::full_path::{BadName, Position, check_name};
use super::ids::{NamespaceId, UserId};
use super::level::AccessLevel;

/// The namespace that the project would be in, and what the user is to it.
#[derive(Debug, Clone)]
pub struct Home {
    /// Its id.
    pub id: NamespaceId,
    /// Its full path, as it is written.
    pub full_path: String,
    /// The user whose personal namespace it is.
    pub owner: Option<UserId>,
    /// Who makes projects in the group.
    pub creation_level: CreationLevel,
    /// What the user is to the group.
    pub level: AccessLevel,
    /// How many projects the user may have in their own namespace, and has.
    pub projects_limit: i64,
    /// Projects in the namespace.
    pub projects: i64,
    /// What the first branch is called; what Gitaly calls it where nobody says.
    pub default_branch: Option<String>,
}

/// `namespaces.project_creation_level`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreationLevel {
    /// Nobody but administrators.
    Nobody,
    /// Maintainers.
    Maintainers,
    /// Developers.
    Developers,
    /// Administrators.
    Administrators,
    /// Owners.
    Owners,
}

impl CreationLevel {
    /// The level that a column holds; developers where it holds none, as GitLab's instances have it.
    #[must_use]
    pub fn from_level(level: Option<i32>) -> Self {
        match level {
            Some(0) => Self::Nobody,
            Some(1) => Self::Maintainers,
            Some(3) => Self::Administrators,
            Some(4) => Self::Owners,
            _ => Self::Developers,
        }
    }
}

/// Who would make the project.
#[derive(Debug, Clone, Copy)]
pub struct Maker {
    /// Their id.
    pub id: UserId,
    /// Administrators make projects everywhere.
    pub admin: bool,
    /// External users make none.
    pub external: bool,
}

/// Why no project is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The user may not; they are told that there is no such project.
    NotPermitted,
    /// The name cannot be a project's.
    BadName(BadName),
}

/// Whether the project may be made.
///
/// # Errors
/// Why not.
pub fn decide(home: &Home, maker: Maker, name: &str) -> Result<(), Refusal> {
    let least = match home.creation_level {
        CreationLevel::Nobody | CreationLevel::Administrators => None,
        CreationLevel::Maintainers => Some(AccessLevel::MAINTAINER),
        CreationLevel::Developers => Some(AccessLevel::DEVELOPER),
        CreationLevel::Owners => Some(AccessLevel::OWNER),
    };
    let permitted = match home.owner {
        _ if maker.admin => true,
        _ if maker.external => false,
        Some(owner) => owner == maker.id && home.projects < home.projects_limit,
        None => least.is_some_and(|least| home.level >= least),
    };
    if !permitted {
        return Err(Refusal::NotPermitted);
    }
    check_name(name, Position::Project).map_err(Refusal::BadName)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(creation_level: CreationLevel, level: AccessLevel) -> Home {
        Home {
            id: NamespaceId(1),
            full_path: "g".to_owned(),
            owner: None,
            creation_level,
            level,
            projects_limit: 2,
            projects: 0,
            default_branch: None,
        }
    }

    const RUBI: Maker = Maker { id: UserId(7), admin: false, external: false };

    #[test]
    fn a_group_says_who_makes_projects_in_it() {
        let levels = [AccessLevel::REPORTER, AccessLevel::DEVELOPER, AccessLevel::MAINTAINER, AccessLevel::OWNER];
        let admin = Maker { admin: true, ..RUBI };
        let mut table = String::new();
        for column in [Some(0), Some(1), Some(2), Some(3), Some(4), None] {
            let creation = CreationLevel::from_level(column);
            let cells =
                levels.map(|level| if decide(&group(creation, level), RUBI, "p").is_ok() { "yes" } else { "-" });
            let by_admin = decide(&group(creation, AccessLevel::NO_ACCESS), admin, "p").is_ok();
            table += &format!("{column:?} {} admin {by_admin}\n", cells.join(" "));
        }
        insta::assert_snapshot!(table, @r"
        Some(0) - - - - admin true
        Some(1) - - yes yes admin true
        Some(2) - yes yes yes admin true
        Some(3) - - - - admin true
        Some(4) - - - yes admin true
        None - yes yes yes admin true
        ");
    }

    #[test]
    fn a_personal_namespace_is_its_owners_up_to_their_limit() {
        let own = |projects| Home {
            owner: Some(UserId(7)),
            projects,
            ..group(CreationLevel::Nobody, AccessLevel::NO_ACCESS)
        };
        assert_eq!(decide(&own(1), RUBI, "p"), Ok(()));
        assert_eq!(decide(&own(2), RUBI, "p"), Err(Refusal::NotPermitted));
        assert_eq!(decide(&own(0), Maker { id: UserId(8), ..RUBI }, "p"), Err(Refusal::NotPermitted));
        assert_eq!(decide(&own(0), Maker { external: true, ..RUBI }, "p"), Err(Refusal::NotPermitted));
        assert_eq!(decide(&own(0), RUBI, "cannot_end_with_dot."), Err(Refusal::BadName(BadName::Ending)));
    }
}
