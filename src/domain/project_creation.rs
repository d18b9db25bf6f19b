//! May this user make a project in this namespace, as a push to a path without one asks (allowed.md 2.5)?

use super::access::{
    self, AccessActor, AccessFacts, AccessProject, AccessTarget, Attempt, Decision, Denial, GitCommand, PushChanges,
    RepositoryContainer, RootNamespace,
};
use super::full_path::{BadName, PathPosition, check_name};
use super::ids::{NamespaceId, ProjectId, UserId};
use super::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use super::repository::{GlRepository, SuffixedPath};

/// The namespace that the project would be in, and what the user is to it.
#[derive(Debug, Clone)]
pub struct ParentNamespace {
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
    /// The top-level namespace above it.
    pub root: RootNamespace,
    /// It, or a group above it, is archived.
    pub archived: bool,
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
pub struct ProjectCreator {
    /// Their id.
    pub id: UserId,
    /// Administrators make projects everywhere.
    pub admin: bool,
    /// External users make none.
    pub external: bool,
}

/// Why no project is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreationRefusal {
    /// The user may not; they are told that there is no such project.
    NotPermitted,
    /// The push to the project would be refused.
    Denied(Denial),
    /// The name cannot be a project's.
    BadName(BadName),
}

/// Whether the attempt makes the project: the user may make one there, every rule of access lets them push to it, and
/// it can have the name.
pub fn decide(
    facts: &AccessFacts,
    attempt: &Attempt,
    parent: &ParentNamespace,
    name: &str,
) -> Result<(), CreationRefusal> {
    let AccessActor::User(user) = facts.actor() else { return Err(CreationRefusal::NotPermitted) };
    let maker = ProjectCreator { id: user.id, admin: user.admin, external: user.external };
    if !is_permitted(parent, maker) {
        return Err(CreationRefusal::NotPermitted);
    }
    if let Decision::Deny(denial) = access::decide(&with_project(facts, parent, name, maker), attempt) {
        return Err(CreationRefusal::Denied(denial));
    }
    check_name(name, PathPosition::Project).map_err(CreationRefusal::BadName)
}

/// The namespace and the name of the project that an attempt asks for: gitlab-shell's call before a push to a path that
/// has no project.
#[must_use]
pub fn wanted_path<'a>(facts: &AccessFacts, attempt: &'a Attempt) -> Option<(&'a str, &'a str)> {
    let AccessTarget::Path(path) = &attempt.target else { return None };
    let absent = facts.container.is_none() && facts.project.is_none();
    let snippet = matches!(path.suffixed(), Some(SuffixedPath::Snippet(..)));
    let push = attempt.command == GitCommand::Push && attempt.changes == PushChanges::Any;
    let (namespace, name) = path.in_namespace()?;
    let below_snippets = namespace.split('/').nth(1) == Some("snippets");
    (absent && push && !snippet && !below_snippets).then_some((namespace, name))
}

/// Why a user makes no project in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceDenial {
    /// It is not theirs to make projects in.
    NotPermitted,
    /// They have as many projects as they may have; the number is that limit.
    LimitReached(i64),
}

/// Why the user makes no project in the namespace; `None` where they may.
#[must_use]
pub fn place_denial(parent: &ParentNamespace, maker: ProjectCreator) -> Option<PlaceDenial> {
    let own = parent.owner == Some(maker.id) && !maker.external;
    let full = own && !maker.admin && parent.projects >= parent.projects_limit;
    if full {
        Some(PlaceDenial::LimitReached(parent.projects_limit))
    } else {
        (!is_permitted(parent, maker)).then_some(PlaceDenial::NotPermitted)
    }
}

fn is_permitted(parent: &ParentNamespace, maker: ProjectCreator) -> bool {
    let least = match parent.creation_level {
        CreationLevel::Nobody | CreationLevel::Administrators => None,
        CreationLevel::Maintainers => Some(AccessLevel::MAINTAINER),
        CreationLevel::Developers => Some(AccessLevel::DEVELOPER),
        CreationLevel::Owners => Some(AccessLevel::OWNER),
    };
    match parent.owner {
        _ if maker.admin => true,
        _ if maker.external => false,
        Some(owner) => owner == maker.id && parent.projects < parent.projects_limit,
        None => least.is_some_and(|least| parent.level >= least),
    }
}

/// The facts as they would be with the project: private, and with its repository.
fn with_project(facts: &AccessFacts, parent: &ParentNamespace, name: &str, maker: ProjectCreator) -> AccessFacts {
    let id = ProjectId(0);
    let project = AccessProject {
        id,
        full_path: format!("{}/{name}", parent.full_path),
        visibility: VisibilityLevel::Private,
        hidden: false,
        archived: parent.archived,
        pending_deletion: false,
        repository_read_only: false,
        repository_level: FeatureLevel::Enabled,
        wiki_level: FeatureLevel::Enabled,
        snippets_level: FeatureLevel::Enabled,
        storage: String::new(),
        hashed_storage: true,
        root: parent.root.clone(),
        level: if parent.owner == Some(maker.id) { AccessLevel::OWNER } else { parent.level },
        deploy_key_can_push: None,
        collaborations: Vec::new(),
    };
    let repository = GlRepository::Project(id);
    let container = RepositoryContainer { repository, exists: true, moved_from: None, snippet: None };
    AccessFacts { project: Some(project), container: Some(container), ..facts.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::tests::{attempt, facts};
    use crate::domain::repository::RepositoryPath;

    fn group(creation_level: CreationLevel, level: AccessLevel) -> ParentNamespace {
        ParentNamespace {
            id: NamespaceId(1),
            full_path: "g".to_owned(),
            owner: None,
            creation_level,
            level,
            projects_limit: 2,
            projects: 0,
            default_branch: None,
            root: RootNamespace {
                id: NamespaceId(1),
                git_protocol: None,
                enforce_ssh_certificates: false,
                ip_allowlist: Vec::new(),
                ip_restricted: false,
            },
            archived: false,
        }
    }

    const RUBI: ProjectCreator = ProjectCreator { id: UserId(7), admin: false, external: false };

    #[test]
    fn a_group_says_who_makes_projects_in_it() {
        let levels = [AccessLevel::REPORTER, AccessLevel::DEVELOPER, AccessLevel::MAINTAINER, AccessLevel::OWNER];
        let admin = ProjectCreator { admin: true, ..RUBI };
        let mut table = Vec::new();
        for column in [Some(0), Some(1), Some(2), Some(3), Some(4), None] {
            let creation = CreationLevel::from_level(column);
            let cells = levels.map(|level| if is_permitted(&group(creation, level), RUBI) { "yes" } else { "-" });
            let by_admin = is_permitted(&group(creation, AccessLevel::NO_ACCESS), admin);
            table.push(format!("{column:?} {} admin {by_admin}", cells.join(" ")));
        }
        insta::assert_snapshot!(table.join("\n"), @r"
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
        let own = |projects| ParentNamespace {
            owner: Some(UserId(7)),
            projects,
            ..group(CreationLevel::Nobody, AccessLevel::NO_ACCESS)
        };
        assert!(is_permitted(&own(1), RUBI));
        assert!(!is_permitted(&own(2), RUBI));
        assert!(!is_permitted(&own(0), ProjectCreator { id: UserId(8), ..RUBI }));
        assert!(!is_permitted(&own(0), ProjectCreator { external: true, ..RUBI }));
    }

    /// A push to a path that has no project, and the facts about it.
    fn push_to(path: &str) -> (AccessFacts, Attempt) {
        let facts = AccessFacts { project: None, container: None, ..facts() };
        let target = AccessTarget::Path(RepositoryPath::new(path));
        (facts, Attempt { target, ..attempt(GitCommand::Push) })
    }

    #[test]
    fn the_call_before_a_push_to_a_path_without_a_project_asks_for_one() {
        let asks = |path: &str, change: fn(&mut AccessFacts, &mut Attempt)| {
            let (mut facts, mut attempt) = push_to(path);
            change(&mut facts, &mut attempt);
            wanted_path(&facts, &attempt).map(|(namespace, name)| format!("{namespace} {name}"))
        };
        assert_eq!(asks("g/s/p.git", |_, _| {}).as_deref(), Some("g/s p"));
        assert_eq!(asks("g/p.wiki.git", |_, _| {}).as_deref(), Some("g p.wiki"));
        for path in ["p", "g/s/p/snippets/3", "snippets/3", "g/snippets/p"] {
            assert_eq!(asks(path, |_, _| {}), None, "{path}");
        }
        assert_eq!(asks("g/p", |_, attempt| attempt.command = GitCommand::Download), None);
        assert_eq!(asks("g/p", |_, attempt| attempt.changes = PushChanges::Lines(String::new())), None);
        assert_eq!(asks("g/p", |known, _| known.project = facts().project), None);
        assert_eq!(asks("g/p", |known, _| known.container = facts().container), None);
        let by_id = |_: &mut AccessFacts, attempt: &mut Attempt| {
            attempt.target = AccessTarget::Repository(GlRepository::Project(ProjectId(7)));
        };
        assert_eq!(asks("g/p", by_id), None);
    }

    #[test]
    fn a_project_is_made_where_its_push_would_be_let_in_and_it_can_have_its_name() {
        let decided = |parent: &ParentNamespace, name: &str, change: fn(&mut AccessFacts)| {
            let (mut facts, attempt) = push_to("g/p");
            change(&mut facts);
            decide(&facts, &attempt, parent, name)
        };
        let parent = group(CreationLevel::Developers, AccessLevel::DEVELOPER);
        assert_eq!(decided(&parent, "p", |_| {}), Ok(()));
        let reporter = group(CreationLevel::Developers, AccessLevel::REPORTER);
        assert_eq!(decided(&reporter, "p", |_| {}), Err(CreationRefusal::NotPermitted));
        assert_eq!(decided(&parent, "p", |facts| facts.user = None), Err(CreationRefusal::NotPermitted));
        let archived = ParentNamespace { archived: true, ..parent.clone() };
        assert_eq!(decided(&archived, "p", |_| {}), Err(CreationRefusal::Denied(Denial::Archived)));
        assert!(matches!(decided(&parent, "-p", |_| {}), Err(CreationRefusal::BadName(_))));
        // In their own namespace users own what they make, whatever their level says.
        let own = ParentNamespace { owner: Some(UserId(5)), level: AccessLevel::NO_ACCESS, ..parent };
        assert_eq!(decided(&own, "p", |_| {}), Ok(()));
    }
}
