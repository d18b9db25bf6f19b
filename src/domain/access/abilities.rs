//! What a token lets its bearer do with git, whatever they may do themselves; and what anybody may do without one.

use super::attempt::{Attempt, GitCommand};
use super::denial::{Denial, RepositoryKind};
use super::facts::AccessFacts;
use super::snippets::is_open_snippet;
use super::{may_read, repository_kind};
use crate::domain::ids::DeployTokenId;
use crate::domain::level::{FeatureLevel, VisibilityLevel};

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GitAbilities {
    /// Fetching.
    pub download: bool,
    /// Pushing.
    pub push: bool,
}

impl Default for GitAbilities {
    /// Those of whoever comes without a token: a key or a password limits nobody.
    fn default() -> Self {
        Self { download: true, push: true }
    }
}

impl GitAbilities {
    /// Those of a token's scopes (`git_http.md` 3.3).
    #[must_use]
    pub fn of_scopes<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let none = Self { download: false, push: false };
        scopes.into_iter().fold(none, |abilities, scope| match scope {
            "api" | "write_repository" | "ai_workflows" => Self { download: true, push: true },
            "read_api" | "read_repository" => Self { download: true, ..abilities },
            _ => abilities,
        })
    }
}

/// A deploy token that is good, and linked to the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessDeployToken {
    /// Its id.
    pub id: DeployTokenId,
    /// The name that it logs in with.
    pub username: String,
}

/// D3b: said before anything is said of the project
pub(super) fn beyond_abilities(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    match attempt.command {
        GitCommand::Download if !facts.abilities.download => Some(Denial::DownloadNotInScope),
        GitCommand::Push if !facts.abilities.push => Some(Denial::PushNotInScope),
        GitCommand::Download | GitCommand::Push | GitCommand::Unknown => None,
    }
}

/// Whether the attempt is a download that needs no credential (`git_http.md` 4.1): it is asked before all rules where an
/// attempt comes without one.
#[must_use]
pub fn anybody_may_download(facts: &AccessFacts, attempt: &Attempt) -> bool {
    if attempt.command != GitCommand::Download || facts.container.is_none() {
        return false;
    }
    let open = facts.instance.git_protocol.as_deref().is_none_or(|open| open == attempt.protocol.as_str());
    let project = |feature: fn(&super::AccessProject) -> FeatureLevel| {
        facts.project.as_ref().is_some_and(|project| {
            let public = project.visibility == VisibilityLevel::Public && !project.hidden;
            public && feature(project) == FeatureLevel::Enabled
        })
    };
    open && match repository_kind(facts, attempt) {
        RepositoryKind::Project => project(|project| project.repository_level),
        RepositoryKind::Wiki => project(|project| project.wiki_level),
        RepositoryKind::Snippet => is_open_snippet(facts),
    }
}

/// Whether whoever acts sees the project, or there is none to see.
#[must_use]
pub fn may_see(facts: &AccessFacts, attempt: &Attempt) -> bool {
    facts.project.as_ref().is_none_or(|project| may_read(facts, attempt, project))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{attempt, facts};
    use super::super::{AccessProtocol, Decision, decide};
    use super::*;

    #[test]
    fn the_widest_scope_of_a_token_counts() {
        let of = |scopes: &[&str]| {
            let GitAbilities { download, push } = GitAbilities::of_scopes(scopes.iter().copied());
            (download, push)
        };
        assert_eq!(of(&["api"]), (true, true));
        assert_eq!(of(&["write_repository", "read_user"]), (true, true));
        assert_eq!(of(&["read_api"]), (true, false));
        assert_eq!(of(&["read_user", "read_repository"]), (true, false));
        assert_eq!(of(&["read_user"]), (false, false));
        assert_eq!(of(&[]), (false, false));
    }

    /// Both the user and their token must allow it.
    #[test]
    fn a_token_takes_away_and_never_gives() {
        let none = GitAbilities { download: false, push: false };
        let (mut facts, push) = (facts(), attempt(GitCommand::Push));
        facts.abilities = none;
        assert_eq!(decide(&facts, &push), Decision::Deny(Denial::PushNotInScope));
        assert_eq!(decide(&facts, &attempt(GitCommand::Download)), Decision::Deny(Denial::DownloadNotInScope));
        (facts.project, facts.container) = (None, None);
        assert_eq!(decide(&facts, &push), Decision::Deny(Denial::PushNotInScope));
        facts.abilities.push = true;
        assert_eq!(decide(&facts, &push), Decision::Deny(Denial::NoSuchProject));
    }

    #[test]
    fn a_deploy_token_fetches_and_never_pushes() {
        let mut facts = facts();
        (facts.key, facts.user) = (None, None);
        facts.deploy_token = Some(AccessDeployToken { id: DeployTokenId(1), username: "builder".to_owned() });
        assert_eq!(decide(&facts, &attempt(GitCommand::Download)), Decision::Allow);
        assert_eq!(decide(&facts, &attempt(GitCommand::Push)), Decision::Deny(Denial::PushNotInScope));
    }

    #[test]
    fn anybody_fetches_what_is_open_and_nothing_else() {
        let mut facts = facts();
        (facts.key, facts.user) = (None, None);
        let mut fetch = attempt(GitCommand::Download);
        fetch.protocol = AccessProtocol::Http;
        assert!(!anybody_may_download(&facts, &fetch));
        facts.project.as_mut().unwrap().visibility = VisibilityLevel::Public;
        assert!(anybody_may_download(&facts, &fetch));
        assert_eq!(decide(&facts, &fetch), Decision::Allow);
        let push = Attempt { command: GitCommand::Push, ..fetch.clone() };
        assert!(!anybody_may_download(&facts, &push));
        facts.instance.git_protocol = Some("ssh".to_owned());
        assert!(!anybody_may_download(&facts, &fetch));
        facts.instance.git_protocol = None;
        facts.project.as_mut().unwrap().repository_level = FeatureLevel::Private;
        assert!(!anybody_may_download(&facts, &fetch));
        facts.project.as_mut().unwrap().hidden = true;
        assert!(!anybody_may_download(&facts, &fetch));
    }
}
