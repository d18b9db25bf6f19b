//! May this actor fetch from this repository, or push to it? Facts in, decision out (allowed.md section 2).

pub mod content;
mod denial;
mod facts;
mod identifier;
pub mod push;
pub mod refs;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;

pub use denial::{AccountDenial, Denial, DenialAnswer, RepositoryKind};
pub use facts::{
    AccessActor, AccessFacts, AccessKey, AccessProject, AccessProtocol, AccessSnippet, AccessTarget, AccessUser,
    ActorName, Attempt, BranchCollaboration, ClientIp, EmailConfirmation, GitCommand, InstanceFacts, KeyLimit,
    KeyStrength, PushChanges, RepositoryContainer, RootNamespace, UserState,
};

use crate::domain::level::{AccessLevel, FeatureLevel, Visibility};
use crate::domain::repository::{GlRepository, SuffixedPath};
use crate::domain::ssh_key::KeyKind;

/// What becomes of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may go on.
    Allow,
    /// It may not, for this reason.
    Deny(Denial),
}

/// Whether the attempt may go on. The rules stand in the order of the contract, and the first denial wins.
#[must_use]
pub fn decide(facts: &AccessFacts, attempt: &Attempt) -> Decision {
    let design = matches!(repository(facts, attempt), Some(GlRepository::Design(_)));
    let denial = if design { design_denial(facts, attempt) } else { git_denial(facts, attempt) };
    denial.map_or(Decision::Allow, Decision::Deny)
}

/// Whether the key stops working within a week, of which its user is told.
#[must_use]
pub fn key_expires_soon(facts: &AccessFacts) -> bool {
    let soon = facts.now + TimeDelta::days(7);
    facts.key.as_ref().and_then(|key| key.expires_at).is_some_and(|at| at > facts.now && at <= soon)
}

fn git_denial(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    unknown_snippet(facts, attempt)
        .or_else(|| maintenance_mode(facts, attempt))
        .or_else(|| missing_otp(facts, attempt))
        .or_else(|| closed_protocol(facts, attempt))
        .or_else(|| unfit_key(facts))
        .or_else(|| snippet_without_user(facts, attempt))
        .or_else(|| unfit_account(facts))
        .or_else(|| closed_http(facts, attempt))
        .or_else(|| unknown_command(attempt))
        .or_else(|| read_only_database(facts, attempt))
        .or_else(|| wrong_certificate(facts, attempt))
        .or_else(|| unknown_repository(facts, attempt))
        .or_else(|| invisible_project(facts, attempt))
        .or_else(|| missing_repository(facts, attempt))
        .or_else(|| match attempt.action {
            GitCommand::Download => download_denial(facts, attempt),
            GitCommand::Push | GitCommand::Unknown => push_denial(facts, attempt),
        })
}

/// The repository that was found, or the one that the request names without finding it.
fn repository(facts: &AccessFacts, attempt: &Attempt) -> Option<GlRepository> {
    facts.container.as_ref().map(|container| container.repository).or(match attempt.target {
        AccessTarget::Repository(repository) => Some(repository),
        AccessTarget::Path(_) => None,
    })
}

/// What the request asks for, found or not. A path that names nothing names a project.
fn holder(facts: &AccessFacts, attempt: &Attempt) -> RepositoryKind {
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
        (AccessActor::User(_), None) | (AccessActor::DeployKey(_) | AccessActor::Nobody, _) => false,
    };
    (!may).then_some(Denial::MayNotManageDesigns)
}

/// C2
fn unknown_snippet(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let unknown = holder(facts, attempt) == RepositoryKind::Snippet && facts.container.is_none();
    unknown.then_some(Denial::NoSuchSnippet)
}

/// B1
fn maintenance_mode(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    (attempt.action == GitCommand::Push && facts.instance.maintenance_mode).then_some(Denial::MaintenanceMode)
}

/// B4: a one-time password opens git for one key, and deploy keys have nobody who could show one
fn missing_otp(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let login = facts.instance.otp_login.as_ref()?;
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

/// D2a, D2b: user keys and deploy keys alike
fn unfit_key(facts: &AccessFacts) -> Option<Denial> {
    let key = facts.key.as_ref()?;
    let limits = &facts.instance.key_limits;
    let forbidden = || {
        let forbidden = |kind| limits.contains(&(kind, KeyLimit::Forbidden));
        let open = KeyKind::ALL.into_iter().filter(|kind| !forbidden(*kind));
        Some(Denial::KeyTypeForbidden(open.collect()))
    };
    let limit = match key.strength {
        KeyStrength::NotLookedAt => None,
        // Of no type, and so of none that is open.
        KeyStrength::Unreadable => forbidden(),
        KeyStrength::Known(kind, bits) => match limits.iter().find(|(limited, _)| *limited == kind) {
            Some((_, KeyLimit::Forbidden)) => forbidden(),
            Some((_, KeyLimit::AtLeast(least))) => (bits < *least).then_some(Denial::KeyTooShort(*least)),
            None => None,
        },
    };
    let expired = key.expires_at.is_some_and(|at| at <= facts.now);
    limit.or(expired.then_some(Denial::KeyExpired)).or_else(|| too_long_lived(facts, key))
}

/// D2a: a key that ends later than the instance allows is refused from the first day on, and so is one without an end
fn too_long_lived(facts: &AccessFacts, key: &AccessKey) -> Option<Denial> {
    let longest = facts.instance.longest_key_life?;
    let Some(expires_at) = key.expires_at else { return Some(Denial::KeyNeverExpires) };
    let last = key.created_at.unwrap_or(facts.now).checked_add_signed(longest)?;
    (expires_at > last).then_some(Denial::KeyLivesTooLong)
}

/// D2c
fn snippet_without_user(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let user = matches!(facts.actor(), AccessActor::User(_));
    (holder(facts, attempt) == RepositoryKind::Snippet && !user).then_some(Denial::SnippetsNeedAUser)
}

/// D3: a deploy key's creator is not looked at here
fn unfit_account(facts: &AccessFacts) -> Option<Denial> {
    let AccessActor::User(user) = facts.actor() else { return None };
    account_denial(facts, user).map(Denial::MayNotUseGit)
}

fn account_denial(facts: &AccessFacts, user: &AccessUser) -> Option<AccountDenial> {
    let old_enough = |at: chrono::DateTime<chrono::Utc>, age: TimeDelta| at + age <= facts.now;
    let unconfirmed = !user.confirmed
        && match facts.instance.email_confirmation {
            EmailConfirmation::Off => false,
            EmailConfirmation::Soft => user.created_at.is_none_or(|at| old_enough(at, TimeDelta::days(3))),
            EmailConfirmation::Hard => true,
        };
    let password_expired = user.password_expires_at.is_some_and(|at| at <= facts.now)
        && !(user.bot || user.password_automatically_set || user.ldap);
    let locked = user.locked_at.is_some_and(|at| !old_enough(at, TimeDelta::minutes(10)));
    if user.internal {
        Some(AccountDenial::Internal)
    } else if user.state == UserState::BlockedPendingApproval {
        Some(AccountDenial::PendingApproval)
    } else if facts.instance.enforce_terms && !user.terms_accepted && !user.bot {
        Some(AccountDenial::TermsNotAccepted(user.username.clone()))
    } else if user.state == UserState::Deactivated {
        Some(AccountDenial::Deactivated)
    } else if unconfirmed {
        Some(AccountDenial::Unconfirmed)
    } else if matches!(user.state, UserState::Blocked | UserState::Banned) {
        Some(AccountDenial::Blocked)
    } else if password_expired {
        Some(AccountDenial::PasswordExpired)
    } else if locked {
        Some(AccountDenial::Blocked)
    } else {
        None
    }
}

/// D4, D5
fn closed_http(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    match (&attempt.protocol, attempt.action) {
        (AccessProtocol::Http, GitCommand::Download) if !facts.instance.http_download => {
            Some(Denial::HttpDownloadClosed)
        }
        (AccessProtocol::Http, GitCommand::Push) if !facts.instance.http_push => Some(Denial::HttpPushClosed),
        _ => None,
    }
}

/// D6
fn unknown_command(attempt: &Attempt) -> Option<Denial> {
    (attempt.action == GitCommand::Unknown).then_some(Denial::UnknownCommand)
}

/// D7b
fn read_only_database(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    (attempt.action == GitCommand::Push && facts.instance.read_only).then_some(Denial::ReadOnlyDatabase)
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

/// D8b, D9b
fn unknown_repository(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    if facts.container.is_some() {
        return None;
    }
    Some(match &attempt.target {
        AccessTarget::Path(path) if path.in_namespace().is_some() => match path.suffixed() {
            Some(SuffixedPath::Snippet(..)) => Denial::NoSuchSnippet,
            _ => Denial::NoSuchProject,
        },
        AccessTarget::Path(_) | AccessTarget::Repository(GlRepository::Project(_)) => Denial::NoSuchNamespace,
        AccessTarget::Repository(_) => not_found(holder(facts, attempt)),
    })
}

/// D10
fn invisible_project(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let project = facts.project.as_ref()?;
    (!may_read(facts, attempt, project)).then(|| not_found(holder(facts, attempt)))
}

fn not_found(holder: RepositoryKind) -> Denial {
    match holder {
        RepositoryKind::Project => Denial::NoSuchProject,
        RepositoryKind::Wiki => Denial::NoSuchWiki,
        RepositoryKind::Snippet => Denial::NoSuchSnippet,
    }
}

/// 2.2
fn may_read(facts: &AccessFacts, attempt: &Attempt, project: &AccessProject) -> bool {
    if project.hidden {
        return false;
    }
    let public = project.visibility == Visibility::Public;
    let (visible, exempt) = match facts.actor() {
        AccessActor::Nobody => (public, false),
        AccessActor::DeployKey(_) => (public || project.deploy_key_can_push.is_some(), false),
        AccessActor::User(user) => {
            let visible =
                user.admin || user.auditor || project.level >= AccessLevel::GUEST || sees(user, project.visibility);
            (visible, user.admin || user.auditor)
        }
    };
    visible && (exempt || address_is_welcome(facts, attempt, &project.root))
}

/// Whether the visibility alone lets the user see it.
fn sees(user: &AccessUser, visibility: Visibility) -> bool {
    match visibility {
        Visibility::Private => false,
        Visibility::Internal => !user.external,
        Visibility::Public => true,
    }
}

fn address_is_welcome(facts: &AccessFacts, attempt: &Attempt, root: &RootNamespace) -> bool {
    let listed = |ip| root.ip_allowlist.iter().chain(&facts.instance.globally_allowed_ips).any(|net| net.contains(&ip));
    match attempt.client_ip {
        _ if root.ip_allowlist.is_empty() && !root.ip_restricted => true,
        // Gitaly's call tells no address; gitlab-shell's call was checked before it.
        None => true,
        Some(ClientIp::Known(ip)) => listed(ip),
        Some(ClientIp::Garbage) => false,
    }
}

/// D12
fn missing_repository(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let exists = facts.container.as_ref().is_some_and(|container| container.exists);
    (!exists).then(|| Denial::NoRepository(holder(facts, attempt)))
}

/// 2.3
fn download_denial(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    let holder = holder(facts, attempt);
    let may = match (holder, &facts.project) {
        (RepositoryKind::Snippet, _) => may_read_snippet(facts),
        (RepositoryKind::Project, Some(project)) => may_download(facts, project, project.repository_level),
        (RepositoryKind::Wiki, Some(project)) => may_download(facts, project, project.wiki_level),
        (RepositoryKind::Project | RepositoryKind::Wiki, None) => false,
    };
    (!may).then_some(Denial::MayNotDownload(holder))
}

/// 2.3.1, for the code and the wiki alike
fn may_download(facts: &AccessFacts, project: &AccessProject, feature: FeatureLevel) -> bool {
    let open_to_all = project.visibility == Visibility::Public && feature == FeatureLevel::Enabled;
    if feature == FeatureLevel::Disabled {
        return false;
    }
    match facts.actor() {
        AccessActor::Nobody => open_to_all,
        AccessActor::DeployKey(_) => open_to_all || project.deploy_key_can_push.is_some(),
        AccessActor::User(user) => {
            let seen = sees(user, project.visibility);
            let member = project.level >= AccessLevel::GUEST;
            let reads_code = project.level >= AccessLevel::PLANNER;
            user.admin || user.auditor || reads_code || (seen && (member || feature == FeatureLevel::Enabled))
        }
    }
}

fn may_read_snippet(facts: &AccessFacts) -> bool {
    let Some((snippet, user)) = snippet_and_user(facts) else { return false };
    let member = facts.project.as_ref().is_some_and(|project| project.level >= AccessLevel::GUEST);
    let seen = user.admin || user.auditor || snippet.author == user.id || member || sees(user, snippet.visibility);
    seen && may_use_snippets(facts, user)
}

/// Whether the project lets the user see any of its snippets; of a personal one there is nobody to ask.
fn may_use_snippets(facts: &AccessFacts, user: &AccessUser) -> bool {
    let Some(project) = &facts.project else { return true };
    match project.snippets_level {
        FeatureLevel::Disabled => false,
        FeatureLevel::Private => user.admin || user.auditor || project.level >= AccessLevel::GUEST,
        FeatureLevel::Enabled => true,
    }
}

fn snippet_and_user(facts: &AccessFacts) -> Option<(&AccessSnippet, &AccessUser)> {
    let snippet = facts.container.as_ref()?.snippet.as_ref()?;
    match facts.actor() {
        AccessActor::User(user) => Some((snippet, user)),
        AccessActor::DeployKey(_) | AccessActor::Nobody => None,
    }
}

/// 2.4, in order
fn push_denial(facts: &AccessFacts, attempt: &Attempt) -> Option<Denial> {
    match (holder(facts, attempt), &facts.project) {
        (RepositoryKind::Snippet, _) => snippet_push_denial(facts),
        (RepositoryKind::Project | RepositoryKind::Wiki, None) => Some(Denial::NoSuchProject),
        // With the ref updates at hand, P5 gives way to the rules of `push`, which ask the same of each ref.
        (RepositoryKind::Project, Some(project)) if matches!(attempt.changes, PushChanges::Lines(_)) => {
            project_push_denial(facts, project)
        }
        (RepositoryKind::Project, Some(project)) => project_push_denial(facts, project).or_else(|| {
            let deploy_key = matches!(facts.actor(), AccessActor::DeployKey(_));
            // Whether the collaboration holds for the branch that is pushed to, the second call finds out.
            let may = deploy_key || may_push_code(facts, project) || !collaborations(facts).is_empty();
            (!may).then_some(Denial::MayNotPush)
        }),
        (RepositoryKind::Wiki, Some(project)) => project_push_denial(facts, project)
            .or_else(|| (!may_write_wiki(facts, project)).then_some(Denial::MayNotWriteWiki)),
    }
}

/// P1 to P4
fn project_push_denial(facts: &AccessFacts, project: &AccessProject) -> Option<Denial> {
    if project.repository_read_only {
        return Some(Denial::RepositoryReadOnly);
    }
    if project.archived {
        return Some(Denial::Archived);
    }
    match facts.actor() {
        AccessActor::DeployKey(_) if project.deploy_key_can_push == Some(true) => None,
        AccessActor::DeployKey(_) => Some(Denial::DeployKeyMayNotPush),
        AccessActor::Nobody => Some(Denial::NobodyMayNotPush),
        AccessActor::User(_) => None,
    }
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
        (AccessActor::User(_), None) | (AccessActor::DeployKey(_) | AccessActor::Nobody, _) => &[],
    }
}

/// P7: planners write wikis too; a deploy key acts as its creator
fn may_write_wiki(facts: &AccessFacts, project: &AccessProject) -> bool {
    let level = project.level;
    let writes = level >= AccessLevel::DEVELOPER || level == AccessLevel::PLANNER;
    let may = facts.user.as_ref().is_some_and(|user| user.admin || writes);
    may && project.wiki_level != FeatureLevel::Disabled
}

/// P1 and P8 with the snippet's own columns
fn snippet_push_denial(facts: &AccessFacts) -> Option<Denial> {
    let Some((snippet, user)) = snippet_and_user(facts) else { return Some(Denial::MayNotUpdateSnippet) };
    if snippet.repository_read_only {
        return Some(Denial::RepositoryReadOnly);
    }
    let maintains = facts.project.as_ref().is_some_and(|project| project.level >= AccessLevel::MAINTAINER);
    let may = user.admin || maintains || snippet.author == user.id;
    (!(may && may_use_snippets(facts, user))).then_some(Denial::MayNotUpdateSnippet)
}

impl AccessProject {
    /// The path of the top-level namespace: the first segment of the project's own.
    #[must_use]
    pub fn root_path(&self) -> &str {
        self.full_path.split('/').next().unwrap_or_default()
    }
}
