//! What the access rules look at: an attempt, and the facts about everyone and everything in it.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use ipnet::IpNet;

use crate::domain::ids::{KeyId, NamespaceId, ProjectId, SnippetId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel, Visibility};
use crate::domain::repository::{GlRepository, RepositoryPath};
use crate::domain::ssh_key::KeyKind;

/// What somebody tries to do to a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The git command.
    pub action: GitCommand,
    /// How the user reached git.
    pub protocol: AccessProtocol,
    /// On whose behalf git acts, as the request names them.
    pub actor: ActorName,
    /// Which repository, as the request names it.
    pub target: AccessTarget,
    /// What a push changes.
    pub changes: PushChanges,
    /// The client's address, where the request tells it.
    pub client_ip: Option<ClientIp>,
    /// The group whose certificate authority signed the login's certificate.
    pub certified_by: Option<String>,
}

/// The git command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GitCommand {
    /// `git-upload-pack` or `git-upload-archive`
    Download,
    /// `git-receive-pack`
    Push,
    /// Anything else, which nobody may run.
    Unknown,
}

/// How the user reached git.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccessProtocol {
    /// git over SSH
    Ssh,
    /// git over HTTP
    Http,
    /// a page or an API of the web application
    Web,
    /// a word we do not know
    Other(String),
}

impl AccessProtocol {
    /// The word that clients send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ssh => "ssh",
            Self::Http => "http",
            Self::Web => "web",
            Self::Other(word) => word,
        }
    }
}

impl From<&str> for AccessProtocol {
    fn from(word: &str) -> Self {
        match word {
            "ssh" => Self::Ssh,
            "http" => Self::Http,
            "web" => Self::Web,
            word => Self::Other(word.to_owned()),
        }
    }
}

/// On whose behalf git acts, as a request names them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActorName {
    /// `key_id`, a user's key or a deploy key
    Key(KeyId),
    /// `user_id`
    User(UserId),
    /// `username`, without regard to case
    Username(String),
    /// `krb5principal`
    Kerberos(String),
    /// No parameter, or one that cannot name anybody.
    Nobody,
}

/// Which repository, as a request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccessTarget {
    /// `gl_repository`
    Repository(GlRepository),
    /// `project`
    Path(RepositoryPath),
}

/// What a push changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushChanges {
    /// A download.
    None,
    /// `_any`: gitlab-shell asks whether the user may push at all.
    Any,
    /// The ref updates, a line each.
    Lines(String),
}

/// The address that the client connected from, or text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientIp {
    /// An address.
    Known(IpAddr),
    /// The client passes on what it was given, whatever that was.
    Garbage,
}

impl ClientIp {
    /// The address that a client passes on. Ranges know neither of the zone through which it is reached, `fe80::1%eth0`, nor
    /// of IPv4 in the clothes of IPv6, `::ffff:10.0.0.1`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (address, zone) = text.split_once('%').map_or((text, false), |(address, _)| (address, true));
        match address.parse::<IpAddr>() {
            Ok(address) if !(zone && address.is_ipv4()) => Self::Known(address.to_canonical()),
            Ok(_) | Err(_) => Self::Garbage,
        }
    }
}

/// Everything that the rules look at.
#[derive(Debug, Clone)]
pub struct AccessFacts {
    /// The time of the attempt.
    pub now: DateTime<Utc>,
    /// The installation's settings.
    pub instance: InstanceFacts,
    /// The key of the attempt, where it names one that may authenticate.
    pub key: Option<AccessKey>,
    /// The user who acts: the one named, the key's owner, or the deploy key's creator.
    pub user: Option<AccessUser>,
    /// The project that the repository belongs to.
    pub project: Option<AccessProject>,
    /// The repository, where it is known.
    pub container: Option<RepositoryContainer>,
}

/// The installation's settings that rules read.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
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
    /// Whom SSH users log in as to show a one-time password, `git@host -p 2222`, where git asks them for one.
    pub otp_login: Option<String>,
    /// Addresses that every allow-list lets in.
    pub globally_allowed_ips: Vec<IpNet>,
    /// Git over HTTP, by direction, as the settings file has it.
    pub http_download: bool,
    /// Git over HTTP, by direction, as the settings file has it.
    pub http_push: bool,
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
    pub visibility: Visibility,
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

/// An open merge request from a branch here into another project, whose author lets those push to the branch who may merge
/// it. The user is a developer of that project at least, and its code is there to be pushed to.
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
    pub visibility: Visibility,
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
    /// Nobody that we know.
    Nobody,
}

impl AccessFacts {
    /// Who acts.
    #[must_use]
    pub fn actor(&self) -> AccessActor<'_> {
        match (&self.key, &self.user) {
            (Some(key), _) if key.deploy => AccessActor::DeployKey(key),
            (_, Some(user)) => AccessActor::User(user),
            (_, None) => AccessActor::Nobody,
        }
    }
}
