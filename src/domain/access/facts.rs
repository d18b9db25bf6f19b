//! What the access rules look at: the facts about everyone and everything in an attempt.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ipnet::IpNet;

use super::abilities::{AccessDeployToken, GitAbilities};
use super::attempt::AccessProtocol;
use crate::domain::git_credential::CredentialFacts;
use crate::domain::ids::{KeyId, NamespaceId, ProjectId, SnippetId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use crate::domain::repository::{GlRepository, RepositoryLocation, hashed_path};
use crate::domain::ssh_key::KeyKind;

/// Everything that the rules look at.
#[derive(Debug, Clone)]
pub struct AccessFacts {
    /// The time of the attempt.
    pub now: DateTime<Utc>,
    /// How old the facts are at most, where they may be older than the attempt: read from a standby while the primary
    /// was away.
    pub stale: Option<Duration>,
    /// What the settings file says.
    pub settings: Arc<AccessSettings>,
    /// What the installation's own rows say.
    pub instance: InstanceFacts,
    /// The key of the attempt, where it names one that may authenticate.
    pub key: Option<AccessKey>,
    /// The user who acts: the one named, the key's owner, or the deploy key's creator.
    pub user: Option<AccessUser>,
    /// The project that the repository belongs to.
    pub project: Option<AccessProject>,
    /// The repository, where it is known.
    pub container: Option<RepositoryContainer>,
    /// What the credential lets its bearer do with git; what they may do themselves is another question.
    pub abilities: GitAbilities,
    /// The deploy token that acts, once it is known to be good.
    pub deploy_token: Option<AccessDeployToken>,
    /// What is known of the credential that the attempt came with, where that is one of HTTP.
    pub credential: Option<Box<CredentialFacts>>,
}

/// The settings file's part of the facts: the same for every attempt.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct AccessSettings {
    /// Whether git may fetch over HTTP.
    pub http_download: bool,
    /// Whether git may push over HTTP.
    pub http_push: bool,
    /// The login under which SSH users show a one-time password, `git@host -p 2222`; none where git asks for none.
    pub otp_login: Option<String>,
    /// Whether LFS is offered at all.
    pub lfs: bool,
    /// Whether the database is declared to take no writes.
    pub read_only: bool,
}

/// What `application_settings` and the rows beside it say of the installation.
#[derive(Debug, Clone, Default)]
pub struct InstanceFacts {
    /// The one git protocol that is open; none where all are.
    pub git_protocol: Option<String>,
    /// What each type of key must have; types that are not listed are open.
    pub key_limits: Vec<(KeyKind, KeyLimit)>,
    /// No pushes for now.
    pub maintenance_mode: bool,
    /// The database takes no writes.
    pub read_only: bool,
    /// Megabytes of a push at most.
    pub receive_max_input_size: Option<u64>,
    /// How long a key may live; none for any time.
    pub longest_key_life: Option<TimeDelta>,
    /// Attempts of one actor on one project a minute; 0 for any number.
    pub operation_limit: u32,
    /// Whether git waits for a confirmed e-mail address.
    pub email_confirmation: EmailConfirmation,
    /// Whether the terms of service must have been accepted.
    pub enforce_terms: bool,
    /// Addresses that every allow-list lets in.
    pub globally_allowed_ips: Vec<IpNet>,
}

/// What a key type must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLimit {
    /// Keys of this type are refused.
    Forbidden,
    /// Keys of this type need so many bits.
    AtLeast(u32),
}

/// Whether git waits for a confirmed e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmailConfirmation {
    /// No.
    #[default]
    Off,
    /// From the third day of the account on.
    Soft,
    /// Yes.
    Hard,
}

/// What is known of the making of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStrength {
    /// It was not looked at: nothing restricts keys of its type.
    NotLookedAt,
    /// Its text is no key that can be read.
    Unreadable,
    /// Type and bits.
    Known(KeyKind, u32),
}

/// An SSH key that may authenticate.
#[derive(Debug, Clone)]
pub struct AccessKey {
    /// Its id.
    pub id: KeyId,
    /// A deploy key belongs to projects, not to a user.
    pub deploy: bool,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was added, as far as is known.
    pub created_at: Option<DateTime<Utc>>,
    /// What it is made of.
    pub strength: KeyStrength,
    /// When it was last used, as far as was noted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Until when a one-time password opens git for it; looked at only where git asks for one.
    pub otp_session_until: Option<DateTime<Utc>>,
}

/// The user who acts.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
pub struct AccessUser {
    /// Their id.
    pub id: UserId,
    /// Their name on this installation.
    pub username: String,
    /// Whether they may act at all.
    pub state: UserState,
    /// Accounts that the installation itself made; they never use git.
    pub internal: bool,
    /// Accounts that are no person.
    pub bot: bool,
    /// Administrators.
    pub admin: bool,
    /// Auditors read everything.
    pub auditor: bool,
    /// External users see no internal projects.
    pub external: bool,
    /// Whether the e-mail address is confirmed.
    pub confirmed: bool,
    /// When the account was made.
    pub created_at: Option<DateTime<Utc>>,
    /// When too many wrong passwords locked the account.
    pub locked_at: Option<DateTime<Utc>>,
    /// When the password expires or did.
    pub password_expires_at: Option<DateTime<Utc>>,
    /// Nobody knows the password, so its age says nothing.
    pub password_automatically_set: bool,
    /// Another directory keeps the password.
    pub ldap: bool,
    /// Whether some terms of service were accepted.
    pub terms_accepted: bool,
    /// The last day on which they were seen.
    pub last_activity_on: Option<NaiveDate>,
    /// Whether they have a second factor; looked at only where git asks for one.
    pub two_factor: bool,
}

/// `users.state`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserState {
    /// May act.
    Active,
    /// `blocked` or `ldap_blocked`, and any state that we do not know.
    Blocked,
    /// Waits for an administrator.
    BlockedPendingApproval,
    /// Sleeps until the next sign-in.
    Deactivated,
    /// Banned.
    Banned,
}

impl From<&str> for UserState {
    fn from(state: &str) -> Self {
        match state {
            "active" => Self::Active,
            "blocked_pending_approval" => Self::BlockedPendingApproval,
            "deactivated" => Self::Deactivated,
            "banned" => Self::Banned,
            _ => Self::Blocked,
        }
    }
}

/// The project that a repository belongs to, and what the actor is to it.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct AccessProject {
    /// Its id.
    pub id: ProjectId,
    /// Its full path, as it is written now.
    pub full_path: String,
    /// Who may see it.
    pub visibility: VisibilityLevel,
    /// Nobody finds it.
    pub hidden: bool,
    /// It, or a group above it, is archived.
    pub archived: bool,
    /// It waits for its deletion.
    pub pending_deletion: bool,
    /// Its storage is being moved.
    pub repository_read_only: bool,
    /// Who may use the code.
    pub repository_level: FeatureLevel,
    /// Who may use the wiki.
    pub wiki_level: FeatureLevel,
    /// Who may use the snippets.
    pub snippets_level: FeatureLevel,
    /// The Gitaly storage that holds it.
    pub storage: String,
    /// Whether its path on disk is the hash of its id.
    pub hashed_storage: bool,
    /// The top-level namespace above it.
    pub root: RootNamespace,
    /// What the user is to it.
    pub level: AccessLevel,
    /// Whether the deploy key is enabled here, and may push.
    pub deploy_key_can_push: Option<bool>,
    /// The merge requests that open a branch of the project to the user; looked at only for a push.
    pub collaborations: Vec<BranchCollaboration>,
}

/// An open merge request from a branch here into another project, whose author lets those push to the branch who may
/// merge it. The user is a developer of that project at least, and its code is there to be pushed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchCollaboration {
    /// The branch here.
    pub branch: String,
    /// The other project.
    pub target: ProjectId,
    /// The branch there that it is to be merged into.
    pub target_branch: String,
    /// What the user is to the other project.
    pub level: AccessLevel,
}

/// The top-level namespace, whose settings hold for everything below it.
#[derive(Debug, Clone)]
pub struct RootNamespace {
    /// Its id.
    pub id: NamespaceId,
    /// The one protocol that it opens; none where all are.
    pub git_protocol: Option<AccessProtocol>,
    /// SSH logins of users must use a certificate of the group's.
    pub enforce_ssh_certificates: bool,
    /// Addresses that may come in; everybody where there are none.
    pub ip_allowlist: Vec<IpNet>,
    /// Some entry of the allow-list cannot be read, so the list lets in nobody that no other entry lets in.
    pub ip_restricted: bool,
}

impl RootNamespace {
    /// Whether somebody at this address may come in, where these addresses may everywhere.
    #[must_use]
    pub fn welcomes(&self, address: IpAddr, everywhere: &[IpNet]) -> bool {
        let open = self.ip_allowlist.is_empty() && !self.ip_restricted;
        open || self.ip_allowlist.iter().chain(everywhere).any(|net| net.contains(&address))
    }
}

/// The repository.
#[derive(Debug, Clone)]
pub struct RepositoryContainer {
    /// Its canonical name.
    pub repository: GlRepository,
    /// Whether its storage holds it, as far as our own tables know.
    pub exists: bool,
    /// The path that the request used, where the project has moved from it.
    pub moved_from: Option<String>,
    /// The snippet, where it is one.
    pub snippet: Option<AccessSnippet>,
}

/// A snippet.
#[derive(Debug, Clone)]
pub struct AccessSnippet {
    /// Its id.
    pub id: SnippetId,
    /// Whose it is.
    pub author: UserId,
    /// Who may see it.
    pub visibility: VisibilityLevel,
    /// Its storage is being moved.
    pub repository_read_only: bool,
    /// The Gitaly storage that holds it, and its path there.
    pub storage: String,
}

/// Who acts, as rules tell them apart.
#[derive(Debug, Clone, Copy)]
pub enum AccessActor<'a> {
    /// A user, by themselves or through a key of theirs.
    User(&'a AccessUser),
    /// A deploy key.
    DeployKey(&'a AccessKey),
    /// A deploy token.
    DeployToken(&'a AccessDeployToken),
    /// Nobody that we know.
    Nobody,
}

impl AccessFacts {
    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> AccessActor<'_> {
        if let Some(token) = &self.deploy_token {
            return AccessActor::DeployToken(token);
        }
        match (&self.key, &self.user) {
            (Some(key), _) if key.deploy => AccessActor::DeployKey(key),
            (_, Some(user)) => AccessActor::User(user),
            (_, None) => AccessActor::Nobody,
        }
    }

    /// The facts as they are once the repository has been made.
    #[must_use]
    pub fn with_repository(&self) -> Self {
        let container = self.container.clone().map(|container| RepositoryContainer { exists: true, ..container });
        Self { container, ..self.clone() }
    }

    /// Where the repository is, for people and on its Gitaly; none where it is not known.
    #[must_use]
    pub fn location(&self) -> Option<RepositoryLocation> {
        let container = self.container.as_ref()?;
        let gl_repository = container.repository.to_string();
        if let Some(snippet) = &container.snippet {
            let of = self.project.as_ref().map_or_else(String::new, |project| format!("{}/", project.full_path));
            return Some(RepositoryLocation {
                storage: snippet.storage.clone(),
                relative_path: format!("{}.git", hashed_path("@snippets", snippet.id.0)),
                gl_repository,
                gl_project_path: format!("{of}snippets/{}", snippet.id),
            });
        }
        let project = self.project.as_ref()?;
        let suffix = match container.repository {
            GlRepository::Wiki(_) => ".wiki",
            GlRepository::Design(_) => ".design",
            GlRepository::Project(_) | GlRepository::GroupWiki(_) | GlRepository::Snippet(_) => "",
        };
        let hashed = || hashed_path("@hashed", project.id.0);
        let stem = if project.hashed_storage { hashed() } else { project.full_path.clone() };
        Some(RepositoryLocation {
            storage: project.storage.clone(),
            relative_path: format!("{stem}{suffix}.git"),
            gl_repository,
            gl_project_path: format!("{}{suffix}", project.full_path),
        })
    }
}

impl AccessProject {
    /// The path of the top-level namespace: the first segment of the project's own.
    #[must_use]
    pub fn root_path(&self) -> &str {
        self.full_path.split('/').next().unwrap_or_default()
    }
}
