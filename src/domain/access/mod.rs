//! May this actor fetch from this repository, or push to it? Facts in, decision out (allowed.md section 2).

mod abilities;
mod accounts;
mod attempt;
pub mod content;
mod denial;
mod facts;
mod keys;
pub mod level_path;
pub mod push;
pub mod refs;
mod remedy;
mod rules;
mod sentences;
mod snippets;
#[cfg(test)]
pub(super) mod tests;

pub use abilities::{AccessDeployToken, GitAbilities, anybody_may_download, may_see};
pub use accounts::account_denial;
pub use attempt::{AccessProtocol, AccessSubject, AccessTarget, ActorName, Attempt, ClientIp, GitCommand, PushChanges};
pub use denial::{AccountDenial, Denial, DenialAnswer, RepositoryKind};
pub use facts::{
    AccessActor, AccessFacts, AccessKey, AccessProject, AccessSettings, AccessSnippet, AccessUser, BranchCollaboration,
    EmailConfirmation, InstanceFacts, KeyLimit, KeyStrength, RepositoryContainer, RootNamespace, UserState,
};
pub use keys::key_expires_soon;
pub use remedy::{AccessRemedy, remedy};
pub use rules::{RuleVerdict, SeenFact, Verdict, explain};

use self::abilities::beyond_abilities;
use self::snippets::may_read_snippet;
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use crate::domain::repository::{GlRepository, SuffixedPath};

/// What becomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Allow,
    /// It may not, for this reason.
    Deny(Denial),
}

impl From<Option<Denial>> for Decision {
    fn from(denial: Option<Denial>) -> Self {
        denial.map_or(Self::Allow, Self::Deny)
    }
}

/// Whether the attempt may go on. The rules stand in the order of the contract, and the first denial wins.
#[must_use]
pub fn decide(facts: &AccessFacts, attempt: &Attempt) -> Decision {
    rules::rules_of(facts, attempt).find_map(|rule| (rule.judge)(facts, attempt)).into()
}

/// Whether the push that was decided so makes the repository that it misses: it would be let in if that were there.
#[must_use]
pub fn may_make_repository(facts: &AccessFacts, attempt: &Attempt, decision: &Decision) -> bool {
    let missing =
        matches!(decision, Decision::Deny(Denial::NoRepository(RepositoryKind::Project | RepositoryKind::Wiki)));
    let push = attempt.command == GitCommand::Push;
    missing && push && decide(&facts.with_repository(), attempt) == Decision::Allow
}

/// The repository that was found, or the one that the request names without finding it.
fn repository(facts: &AccessFacts, attempt: &Attempt) -> Option<GlRepository> {
    facts.container.as_ref().map(|container| container.repository).or(match attempt.target {
        AccessTarget::Repository(repository) => Some(repository),
        AccessTarget::Path(_) => None,
    })
}

/// What the request asks for, found or not. A path that names nothing names a project.
fn repository_kind(facts: &AccessFacts, attempt: &Attempt) -> RepositoryKind {
    match repository(facts, attempt) {
        Some(GlRepository::Wiki(_) | GlRepository::GroupWiki(_)) => RepositoryKind::Wiki,
        Some(GlRepository::Snippet(_)) => RepositoryKind::Snippet,
        Some(GlRepository::Project(_) | GlRepository::Design(_)) | None => RepositoryKind::Project,
    }
}

/// C1: designs have rules of their own in place of all others.
fn design_denial(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    if attempt.protocol != AccessProtocol::Web {
        return Some(Denial::DesignsAreWebOnly);
    }
    let may = match (facts.actor(), &facts.project) {
        (AccessActor::User(user), Some(project)) => {
            !project.hidden && (user.admin || project.level >= AccessLevel::DEVELOPER)
        }
        (AccessActor::User(_), None)
        | (AccessActor::DeployKey(_) | AccessActor::DeployToken(_) | AccessActor::Nobody, _) => false,
    };
    (!may).then_some(Denial::MayNotManageDesigns)
}

/// C2
fn unknown_snippet(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let unknown = repository_kind(facts, attempt) == RepositoryKind::Snippet && facts.container.is_none();
    unknown.then_some(Denial::NoSuchSnippet)
}

/// B1
fn maintenance_mode(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    (attempt.command == GitCommand::Push && facts.instance.maintenance_mode).then_some(Denial::MaintenanceMode)
}

/// B4: a one-time password opens git for one key, and deploy keys have nobody who could show one
fn missing_otp(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let login = facts.settings.otp_login.as_ref()?;
    let (key, user) = (facts.key.as_ref()?, facts.user.as_ref()?);
    let asked = attempt.protocol == AccessProtocol::Ssh && !key.deploy && user.two_factor;
    let open = key.otp_session_until.is_some_and(|until| until > facts.now);
    (asked && !open).then(|| Denial::OtpRequired(login.clone()))
}

/// D1
fn closed_protocol(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let protocol = &attempt.protocol;
    let instance_opens = facts.instance.git_protocol.as_deref().is_none_or(|open| open == protocol.as_str());
    let root = facts.project.as_ref().and_then(|project| project.root.git_protocol.as_ref());
    let root_opens = root.is_none_or(|open| open == protocol);
    let open = *protocol == AccessProtocol::Web || (instance_opens && root_opens);
    (!open).then(|| Denial::ProtocolClosed(protocol.clone()))
}

/// D2c: over HTTP nobody comes so far but to a public one
fn snippet_without_user(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let user = match facts.actor() {
        AccessActor::User(_) => true,
        AccessActor::Nobody => attempt.protocol == AccessProtocol::Http,
        AccessActor::DeployKey(_) | AccessActor::DeployToken(_) => false,
    };
    (repository_kind(facts, attempt) == RepositoryKind::Snippet && !user).then_some(Denial::SnippetsNeedAUser)
}

/// D3: a deploy key's creator is not looked at here
fn unfit_account(facts: &AccessFacts) -> Option<Denial> {
    let AccessActor::User(user) = facts.actor() else { return None };
    account_denial(facts, user).map(Denial::MayNotUseGit)
}

/// D4
fn closed_http_download(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let download = attempt.protocol == AccessProtocol::Http && attempt.command == GitCommand::Download;
    (download && !facts.settings.http_download).then_some(Denial::HttpDownloadClosed)
}

/// D5
fn closed_http_push(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let push = attempt.protocol == AccessProtocol::Http && attempt.command == GitCommand::Push;
    (push && !facts.settings.http_push).then_some(Denial::HttpPushClosed)
}

/// D6
fn unknown_command(attempt: &Attempt) -> Option<Denial> {
    (attempt.command == GitCommand::Unknown).then_some(Denial::UnknownCommand)
}

/// D7b
fn read_only_database(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    (attempt.command == GitCommand::Push && facts.settings.read_only).then_some(Denial::ReadOnlyDatabase)
}

/// D8: certificates are known in gitlab-shell's call alone, and only projects are bound to them
fn wrong_certificate(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let from_gitaly = matches!(attempt.changes, PushChanges::Lines(_));
    let Some(RepositoryContainer { repository: GlRepository::Project(_), .. }) = facts.container else { return None };
    let root = facts.project.as_ref()?.root_path();
    let wrong = if let Some(namespace) = &attempt.certified_by {
        !namespace.eq_ignore_ascii_case(root)
    } else {
        let user = matches!(facts.actor(), AccessActor::User(_));
        user && attempt.protocol == AccessProtocol::Ssh && facts.project.as_ref()?.root.enforce_ssh_certificates
    };
    (wrong && !from_gitaly).then_some(Denial::CertificateOfAnotherNamespace)
}

/// D8b
fn unknown_namespace(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let outside = match &attempt.target {
        AccessTarget::Path(path) => path.in_namespace().is_none(),
        AccessTarget::Repository(repository) => matches!(repository, GlRepository::Project(_)),
    };
    (facts.container.is_none() && outside).then_some(Denial::NoSuchNamespace)
}

/// D9b
fn unknown_repository(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    if facts.container.is_some() {
        return None;
    }
    Some(match &attempt.target {
        AccessTarget::Path(path) => match path.suffixed() {
            Some(SuffixedPath::Snippet(..)) => Denial::NoSuchSnippet,
            _ => Denial::NoSuchProject,
        },
        AccessTarget::Repository(_) => match repository_kind(facts, attempt) {
            RepositoryKind::Project => Denial::NoSuchProject,
            RepositoryKind::Wiki => Denial::NoSuchWiki,
            RepositoryKind::Snippet => Denial::NoSuchSnippet,
        },
    })
}

/// D10
fn invisible_project(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let project = facts.project.as_ref()?;
    (!may_read(facts, attempt, project)).then(|| Denial::Invisible(repository_kind(facts, attempt)))
}

/// 2.2
fn may_read(facts: &AccessFacts, attempt: &Attempt, project: &AccessProject) -> bool {
    if project.hidden {
        return false;
    }
    let public = project.visibility == VisibilityLevel::Public;
    let (visible, exempt) = match facts.actor() {
        AccessActor::Nobody => (public, false),
        AccessActor::DeployKey(_) => (public || project.deploy_key_can_push.is_some(), false),
        // One that is not linked to the project does not get so far.
        AccessActor::DeployToken(_) => (true, false),
        AccessActor::User(user) => {
            let visible =
                user.admin || user.auditor || project.level >= AccessLevel::GUEST || sees(user, project.visibility);
            (visible, user.admin || user.auditor)
        }
    };
    visible && (exempt || address_is_welcome(facts, attempt, &project.root))
}

/// Whether the visibility alone lets the user see it.
fn sees(user: &AccessUser, visibility: VisibilityLevel) -> bool {
    match visibility {
        VisibilityLevel::Private => false,
        VisibilityLevel::Internal => !user.external,
        VisibilityLevel::Public => true,
    }
}

fn address_is_welcome(facts: &AccessFacts, attempt: &Attempt, root: &RootNamespace) -> bool {
    match attempt.client_ip {
        _ if root.ip_allowlist.is_empty() && !root.ip_restricted => true,
        // Gitaly's call tells no address; gitlab-shell's call was checked before it.
        None => true,
        Some(ClientIp::Known(ip)) => root.welcomes(ip, &facts.instance.globally_allowed_ips),
        Some(ClientIp::Garbage) => false,
    }
}

/// D12
fn missing_repository(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let exists = facts.container.as_ref().is_some_and(|container| container.exists);
    (!exists).then(|| Denial::NoRepository(repository_kind(facts, attempt)))
}

/// 2.3
fn download_denial(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let kind = repository_kind(facts, attempt);
    let may = match (kind, &facts.project) {
        (RepositoryKind::Snippet, _) => may_read_snippet(facts),
        (RepositoryKind::Project, Some(project)) => may_download(facts, project, project.repository_level),
        (RepositoryKind::Wiki, Some(project)) => may_download(facts, project, project.wiki_level),
        (RepositoryKind::Project | RepositoryKind::Wiki, None) => false,
    };
    (!may).then_some(Denial::MayNotDownload(kind))
}

/// 2.3.1, for the code and the wiki alike
fn may_download(facts: &AccessFacts, project: &AccessProject, feature: FeatureLevel) -> bool {
    let open_to_all = project.visibility == VisibilityLevel::Public && feature == FeatureLevel::Enabled;
    if feature == FeatureLevel::Disabled {
        return false;
    }
    match facts.actor() {
        AccessActor::Nobody => open_to_all,
        AccessActor::DeployKey(_) => open_to_all || project.deploy_key_can_push.is_some(),
        AccessActor::DeployToken(_) => true,
        AccessActor::User(user) => {
            let seen = sees(user, project.visibility);
            let member = project.level >= AccessLevel::GUEST;
            let reads_code = project.level >= AccessLevel::PLANNER;
            user.admin || user.auditor || reads_code || (seen && (member || feature == FeatureLevel::Enabled))
        }
    }
}

/// P1
fn frozen_project(facts: &AccessFacts) -> Option<Denial> {
    facts.project.as_ref()?.repository_read_only.then_some(Denial::RepositoryReadOnly)
}

/// P2
fn archived_project(facts: &AccessFacts) -> Option<Denial> {
    facts.project.as_ref()?.archived.then_some(Denial::Archived)
}

/// P3
fn read_only_deploy_key(facts: &AccessFacts) -> Option<Denial> {
    let writes = facts.project.as_ref()?.deploy_key_can_push == Some(true);
    (matches!(facts.actor(), AccessActor::DeployKey(_)) && !writes).then_some(Denial::DeployKeyMayNotPush)
}

/// P4; no deploy token's scopes let it push, as D3b says before
fn nobody_pushes(facts: &AccessFacts) -> Option<Denial> {
    match facts.actor() {
        AccessActor::Nobody => Some(Denial::NobodyMayNotPush),
        AccessActor::DeployToken(_) => Some(Denial::PushNotInScope),
        AccessActor::User(_) | AccessActor::DeployKey(_) => None,
    }
}

/// P5. With the ref updates at hand it gives way to the rules of `push`, which ask the same of each ref.
fn may_not_push_code(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let project = facts.project.as_ref()?;
    let deploy_key = matches!(facts.actor(), AccessActor::DeployKey(_));
    // Whether the collaboration holds for the branch that is pushed to, the second call finds out.
    let may = matches!(attempt.changes, PushChanges::Lines(_))
        || deploy_key
        || may_push_code(facts, project)
        || !collaborations(facts).is_empty();
    (!may).then_some(Denial::MayNotPush)
}

/// P5: the ability *push code* of a user
fn may_push_code(facts: &AccessFacts, project: &AccessProject) -> bool {
    let may = facts.user.as_ref().is_some_and(|user| user.admin || project.level >= AccessLevel::DEVELOPER);
    may && project.repository_level != FeatureLevel::Disabled && !project.archived && !project.pending_deletion
}

/// P5: the merge requests that open branches of the project to the user who acts
fn collaborations(facts: &AccessFacts) -> &[BranchCollaboration] {
    match (facts.actor(), &facts.project) {
        (AccessActor::User(user), Some(project)) => {
            let member = user.admin || project.level >= AccessLevel::GUEST;
            let code = match project.repository_level {
                FeatureLevel::Disabled => false,
                FeatureLevel::Private => member,
                FeatureLevel::Enabled => true,
            };
            if code && !project.archived && !project.pending_deletion { &project.collaborations } else { &[] }
        }
        (AccessActor::User(_), None)
        | (AccessActor::DeployKey(_) | AccessActor::DeployToken(_) | AccessActor::Nobody, _) => &[],
    }
}

/// P7: planners write wikis too; a deploy key acts as its creator
fn unwritable_wiki(facts: &AccessFacts) -> Option<Denial> {
    let project = facts.project.as_ref()?;
    let level = project.level;
    let writes = level >= AccessLevel::DEVELOPER || level == AccessLevel::PLANNER;
    let may = facts.user.as_ref().is_some_and(|user| user.admin || writes);
    (!(may && project.wiki_level != FeatureLevel::Disabled)).then_some(Denial::MayNotWriteWiki)
}
