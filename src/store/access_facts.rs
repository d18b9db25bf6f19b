//! Everything that the access rules look at, for many attempts in one statement.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use ipnet::IpNet;
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

use super::settings::key_limits;
use super::{Error, Result, fault};
use crate::domain::access::{
    AccessFacts, AccessKey, AccessProject, AccessProtocol, AccessSettings, AccessSnippet, AccessSubject, AccessTarget,
    AccessUser, ActorName, BranchCollaboration, EmailConfirmation, GitAbilities, GitCommand, InstanceFacts,
    KeyStrength, RepositoryContainer, RootNamespace, UserState,
};
use crate::domain::git_credential::{AccessToken, CredentialFacts, DeployToken, OauthToken};
use crate::domain::ids::{DeployTokenId, KeyId, NamespaceId, ProjectId, SnippetId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use crate::domain::repository::{GlRepository, SuffixedPath};
use crate::domain::ssh_key::PublicKey;
use crate::domain::token::scopes_from_yaml;
use crate::domain::user_type::UserType;

/// The facts about each of these attempts, in their order, in one statement.
///
/// # Errors
/// `Unavailable` also where the database is a standby and was not to be one: its facts may be out of date.
pub async fn list(
    db: impl PgExecutor<'_>,
    attempts: &[(AccessSubject, DateTime<Utc>)],
    settings: &Arc<AccessSettings>,
    may_be_standby: bool,
) -> Result<Vec<AccessFacts>> {
    let two_factor = settings.otp_login.is_some();
    let rows = list_rows(db, attempts.iter().map(|(subject, _)| subject), two_factor).await?;
    if rows.iter().any(|row| row.standby) && !may_be_standby {
        return Err(Error::Unavailable(fault::standby()));
    }
    let facts = attempts.iter().zip(rows).map(|((subject, now), row)| AccessFacts {
        now: *now,
        stale: None,
        settings: Arc::clone(settings),
        instance: row.instance(),
        key: row.key(),
        user: row.user(),
        container: row.container(&subject.target),
        project: row.project(),
        abilities: GitAbilities::default(),
        deploy_token: None,
        credential: row.credential(),
    });
    Ok(facts.collect())
}

/// The facts about one attempt.
pub async fn find(
    connection: &mut PgConnection,
    subject: AccessSubject,
    now: DateTime<Utc>,
    settings: &Arc<AccessSettings>,
) -> Result<AccessFacts> {
    let mut facts = list(connection, &[(subject, now)], settings, settings.read_only).await?;
    facts.pop().ok_or(Error::Query(sqlx::Error::RowNotFound))
}

/// The columns of the attempts, as the statement takes them.
#[derive(Default)]
struct AttemptColumns<'a> {
    key_id: Vec<Option<i64>>,
    user_id: Vec<Option<i64>>,
    username: Vec<Option<&'a str>>,
    kerberos: Vec<Option<&'a str>>,
    project_id: Vec<Option<i64>>,
    snippet_id: Vec<Option<i64>>,
    path: Vec<Option<&'a str>>,
    stem: Vec<Option<&'a str>>,
    wiki: Vec<bool>,
    push: Vec<bool>,
    login: Vec<Option<&'a str>>,
    token_digest: Vec<Option<&'a str>>,
    oauth_digest: Vec<Option<&'a str>>,
    oauth_plain: Vec<Option<&'a str>>,
    deploy_token: Vec<Option<&'a str>>,
    older_deploy_token: Vec<Option<&'a str>>,
    address: Vec<Option<String>>,
}

impl<'a> AttemptColumns<'a> {
    fn push(&mut self, subject: &'a AccessSubject) {
        let (mut key, mut user, mut username, mut kerberos) = (None, None, None, None);
        let mut credential = None;
        match &subject.actor {
            ActorName::Key(id) => key = Some(id.0),
            ActorName::User(id) => user = Some(id.0),
            ActorName::Username(name) => username = Some(name.as_str()),
            ActorName::Kerberos(principal) => kerberos = Some(principal.as_str()),
            ActorName::Credential(name) => {
                key = name.deploy_key();
                credential = Some(name.as_ref());
            }
            ActorName::Nobody => {}
        }
        self.login.push(credential.map(|name| name.login.as_str()));
        self.token_digest.push(credential.map(|name| name.token_digest.as_str()));
        self.oauth_digest.push(credential.map(|name| name.oauth[0].as_str()));
        self.oauth_plain.push(credential.map(|name| name.oauth[1].as_str()));
        self.deploy_token.push(credential.map(|name| name.deploy_token[0].as_str()));
        self.older_deploy_token.push(credential.map(|name| name.deploy_token[1].as_str()));
        self.address.push(credential.map(|name| name.address.to_string()));
        self.key_id.push(key);
        self.user_id.push(user);
        self.username.push(username);
        self.kerberos.push(kerberos);

        let (mut project, mut snippet, mut path, mut stem, mut wiki) = (None, None, None, None, false);
        match &subject.target {
            AccessTarget::Repository(GlRepository::Project(id)) => project = Some(id.0),
            AccessTarget::Repository(GlRepository::Wiki(id)) => (project, wiki) = (Some(id.0), true),
            AccessTarget::Repository(GlRepository::Snippet(id)) => snippet = Some(id.0),
            AccessTarget::Repository(GlRepository::GroupWiki(_) | GlRepository::Design(_)) => {}
            AccessTarget::Path(asked) => match asked.suffixed() {
                None => path = Some(asked.as_str()),
                Some(SuffixedPath::Wiki(of)) => (path, stem, wiki) = (Some(asked.as_str()), Some(of), true),
                Some(SuffixedPath::Design(of)) => (path, stem) = (Some(asked.as_str()), Some(of)),
                Some(SuffixedPath::Snippet(of, id)) => (path, stem, snippet) = (Some(asked.as_str()), of, Some(id.0)),
            },
        }
        self.project_id.push(project);
        self.snippet_id.push(snippet);
        self.path.push(path);
        self.stem.push(stem);
        self.wiki.push(wiki);
        self.push.push(subject.command == GitCommand::Push);
    }
}

async fn list_rows(
    db: impl PgExecutor<'_>,
    subjects: impl Iterator<Item = &AccessSubject>,
    two_factor: bool,
) -> Result<Vec<AccessFactsRow>> {
    let mut columns = AttemptColumns::default();
    subjects.for_each(|subject| columns.push(subject));
    let mut rows = sqlx::query_file_as!(
        AccessFactsRow,
        "src/store/access_facts.sql",
        &columns.key_id as &[Option<i64>],
        &columns.user_id as &[Option<i64>],
        &columns.username as &[Option<&str>],
        &columns.kerberos as &[Option<&str>],
        &columns.project_id as &[Option<i64>],
        &columns.snippet_id as &[Option<i64>],
        &columns.path as &[Option<&str>],
        &columns.stem as &[Option<&str>],
        &columns.wiki,
        &columns.push,
        two_factor,
        &columns.login as &[Option<&str>],
        &columns.token_digest as &[Option<&str>],
        &columns.oauth_digest as &[Option<&str>],
        &columns.oauth_plain as &[Option<&str>],
        &columns.deploy_token as &[Option<&str>],
        &columns.older_deploy_token as &[Option<&str>],
        &columns.address as &[Option<String>],
    )
    .fetch_all(db)
    .await?;
    rows.sort_by_key(|row| row.position);
    Ok(rows)
}

/// One row of the statement: GitLab's columns, as they are.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own")]
struct AccessFactsRow {
    position: i64,
    instance_protocol: Option<String>,
    key_restrictions: Option<Vec<i32>>,
    maintenance_mode: Option<bool>,
    receive_max_input_size: Option<i32>,
    operation_limit: Option<i32>,
    email_confirmation: Option<i16>,
    enforce_terms: Option<bool>,
    globally_allowed_ips: Option<String>,
    max_ssh_key_lifetime: Option<i32>,
    read_only: bool,
    standby: bool,
    key_id: Option<i64>,
    key_type: Option<String>,
    key_expires_at: Option<DateTime<Utc>>,
    key_created_at: Option<NaiveDateTime>,
    key_last_used_at: Option<NaiveDateTime>,
    key_text: Option<String>,
    user_id: Option<i64>,
    username: Option<String>,
    state: Option<String>,
    user_type: Option<i16>,
    admin: Option<bool>,
    auditor: Option<bool>,
    external: Option<bool>,
    confirmed_at: Option<NaiveDateTime>,
    user_created_at: Option<NaiveDateTime>,
    locked_at: Option<NaiveDateTime>,
    password_expires_at: Option<NaiveDateTime>,
    password_automatically_set: Option<bool>,
    accepted_term_id: Option<i64>,
    last_activity_on: Option<NaiveDate>,
    ldap: Option<bool>,
    two_factor: Option<bool>,
    otp_session_until: Option<DateTime<Utc>>,
    named: bool,
    project_id: Option<i64>,
    visibility_level: Option<i32>,
    hidden: Option<bool>,
    archived: Option<bool>,
    ancestor_archived: Option<bool>,
    pending_deletion: bool,
    repository_read_only: Option<bool>,
    repository_storage: Option<String>,
    storage_version: Option<i16>,
    repository_level: Option<i32>,
    wiki_level: Option<i32>,
    snippets_level: Option<i32>,
    full_path: Option<String>,
    root_id: Option<i64>,
    owns_namespace: Option<bool>,
    root_protocol: Option<i16>,
    enforce_ssh_certificates: Option<bool>,
    ip_ranges: Vec<String>,
    level: Option<i32>,
    deploy_key_can_push: Option<bool>,
    collaborations: Option<Json<Vec<CollaborationRow>>>,
    repository_exists: bool,
    snippet_id: Option<i64>,
    snippet_author_id: Option<i64>,
    snippet_visibility_level: Option<i32>,
    snippet_read_only: Option<bool>,
    snippet_project_id: Option<i64>,
    snippet_storage: Option<String>,
    credential: Option<Json<CredentialRow>>,
}

/// What was found of a credential; times are seconds since 1970.
#[derive(Debug, Deserialize)]
struct CredentialRow {
    banned_until: Option<i64>,
    failed_before: bool,
    oauth: Option<OauthTokenRow>,
    token: Option<AccessTokenRow>,
    deploy_token: Option<DeployTokenRow>,
    deploy_token_linked: bool,
    encrypted_password: Option<String>,
    key_fingerprint: Option<String>,
    user_type: Option<i16>,
    two_factor: Option<bool>,
    two_factor_grace: Option<i64>,
    two_factor_grace_began: Option<i64>,
    passwords_closed: Option<bool>,
    token_prefix: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OauthTokenRow {
    scopes: String,
    ends_at: Option<i64>,
    revoked: bool,
}

#[derive(Debug, Deserialize)]
struct AccessTokenRow {
    id: i64,
    scopes: String,
    expires_at: Option<i64>,
    revoked: bool,
    impersonation: bool,
    last_used_at: Option<i64>,
    unwanted: bool,
}

#[derive(Debug, Deserialize)]
struct DeployTokenRow {
    id: i64,
    username: Option<String>,
    expires_at: i64,
    revoked: bool,
    read_repository: bool,
}

impl CredentialRow {
    fn facts(&self) -> CredentialFacts {
        let time = |seconds: Option<i64>| seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        CredentialFacts {
            banned_until: time(self.banned_until),
            failed_before: self.failed_before,
            oauth: self.oauth.as_ref().map(|token| OauthToken {
                scopes: token.scopes.split_whitespace().map(str::to_owned).collect(),
                ends_at: time(token.ends_at),
                revoked: token.revoked,
            }),
            token: self.token.as_ref().map(|token| AccessToken {
                id: token.id,
                scopes: scopes_from_yaml(&token.scopes),
                expires_at: time(token.expires_at),
                revoked: token.revoked,
                impersonation: token.impersonation,
                last_used_at: time(token.last_used_at),
                unwanted: token.unwanted,
            }),
            deploy_token: self.deploy_token.as_ref().map(|token| DeployToken {
                id: DeployTokenId(token.id),
                username: token.username.clone(),
                // Beyond all that can be told is for ever.
                expires_at: time(Some(token.expires_at)).unwrap_or(DateTime::<Utc>::MAX_UTC),
                revoked: token.revoked,
                read_repository: token.read_repository,
                linked: self.deploy_token_linked,
            }),
            encrypted_password: self.encrypted_password.clone(),
            key_fingerprint: self.key_fingerprint.as_deref().and_then(from_hex),
            user_type: self.user_type.map(UserType::from_number),
            two_factor: self.two_factor.unwrap_or_default(),
            two_factor_grace: self.two_factor_grace,
            two_factor_grace_began: time(self.two_factor_grace_began),
            passwords_closed: self.passwords_closed.unwrap_or_default(),
            token_prefix: self.token_prefix.clone().unwrap_or_default(),
        }
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// A merge request that opens a branch of the project.
#[derive(Debug, Deserialize)]
struct CollaborationRow {
    branch: String,
    target: i64,
    target_branch: String,
    level: i32,
}

impl From<&CollaborationRow> for BranchCollaboration {
    fn from(row: &CollaborationRow) -> Self {
        Self {
            branch: row.branch.clone(),
            target: ProjectId(row.target),
            target_branch: row.target_branch.clone(),
            level: AccessLevel(row.level),
        }
    }
}

impl AccessFactsRow {
    fn instance(&self) -> InstanceFacts {
        InstanceFacts {
            git_protocol: self.instance_protocol.clone().filter(|protocol| !protocol.is_empty()),
            key_limits: key_limits(self.key_restrictions.as_deref().unwrap_or_default()),
            maintenance_mode: self.maintenance_mode.unwrap_or_default(),
            read_only: self.read_only,
            receive_max_input_size: self.receive_max_input_size.and_then(|size| u64::try_from(size).ok()),
            longest_key_life: self.max_ssh_key_lifetime.map(|days| TimeDelta::days(days.into())),
            operation_limit: self.operation_limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or_default(),
            email_confirmation: match self.email_confirmation {
                Some(1) => EmailConfirmation::Soft,
                Some(2) => EmailConfirmation::Hard,
                _ => EmailConfirmation::Off,
            },
            enforce_terms: self.enforce_terms.unwrap_or_default(),
            globally_allowed_ips: globally_allowed(self.globally_allowed_ips.as_deref()),
        }
    }

    fn key(&self) -> Option<AccessKey> {
        Some(AccessKey {
            id: KeyId(self.key_id?),
            deploy: self.key_type.as_deref() == Some("DeployKey"),
            expires_at: self.key_expires_at,
            created_at: self.key_created_at.map(|at| at.and_utc()),
            strength: match self.key_text.as_deref().map(PublicKey::parse) {
                None => KeyStrength::NotLookedAt,
                Some(Err(_)) => KeyStrength::Unreadable,
                Some(Ok(key)) => KeyStrength::Known(key.kind(), key.bits()),
            },
            last_used_at: self.key_last_used_at.map(|at| at.and_utc()),
            otp_session_until: self.otp_session_until,
        })
    }

    fn credential(&self) -> Option<Box<CredentialFacts>> {
        self.credential.as_ref().map(|row| Box::new(row.facts()))
    }

    fn user(&self) -> Option<AccessUser> {
        let user_type = UserType::from_number(self.user_type.unwrap_or_default());
        Some(AccessUser {
            id: UserId(self.user_id?),
            username: self.username.clone().unwrap_or_default(),
            state: UserState::from(self.state.as_deref().unwrap_or_default()),
            internal: !user_type.may_use_git(),
            bot: !user_type.is_human(),
            admin: self.admin.unwrap_or_default(),
            auditor: self.auditor.unwrap_or_default(),
            external: self.external.unwrap_or_default(),
            confirmed: self.confirmed_at.is_some(),
            created_at: self.user_created_at.map(|at| at.and_utc()),
            locked_at: self.locked_at.map(|at| at.and_utc()),
            password_expires_at: self.password_expires_at.map(|at| at.and_utc()),
            password_automatically_set: self.password_automatically_set.unwrap_or_default(),
            ldap: self.ldap.unwrap_or_default(),
            terms_accepted: self.accepted_term_id.is_some(),
            last_activity_on: self.last_activity_on,
            two_factor: self.two_factor.unwrap_or_default(),
        })
    }

    fn project(&self) -> Option<AccessProject> {
        let owner = self.owns_namespace.unwrap_or_default().then_some(AccessLevel::OWNER);
        Some(AccessProject {
            id: ProjectId(self.project_id?),
            full_path: self.full_path.clone()?,
            visibility: VisibilityLevel::from_level(self.visibility_level.unwrap_or_default()),
            hidden: self.hidden.unwrap_or_default(),
            archived: self.archived.unwrap_or_default() || self.ancestor_archived.unwrap_or_default(),
            pending_deletion: self.pending_deletion,
            repository_read_only: self.repository_read_only.unwrap_or_default(),
            repository_level: FeatureLevel::from_level(self.repository_level),
            wiki_level: FeatureLevel::from_level(self.wiki_level),
            snippets_level: FeatureLevel::from_level(self.snippets_level),
            storage: self.repository_storage.clone().unwrap_or_default(),
            hashed_storage: self.storage_version.is_some_and(|version| version >= 1),
            root: root(NamespaceId(self.root_id?), self.root_protocol, self.enforce_ssh_certificates, &self.ip_ranges),
            level: owner.unwrap_or(AccessLevel(self.level.unwrap_or_default())),
            deploy_key_can_push: self.deploy_key_can_push,
            collaborations: self
                .collaborations
                .iter()
                .flat_map(|rows| &rows.0)
                .map(BranchCollaboration::from)
                .collect(),
        })
    }

    fn container(&self, target: &AccessTarget) -> Option<RepositoryContainer> {
        let project = || self.project_id.filter(|_| self.full_path.is_some()).map(ProjectId);
        let repository = match target {
            AccessTarget::Repository(GlRepository::Project(_)) => GlRepository::Project(project()?),
            AccessTarget::Repository(GlRepository::Wiki(_)) => GlRepository::Wiki(project()?),
            AccessTarget::Repository(GlRepository::Snippet(_)) => GlRepository::Snippet(SnippetId(self.snippet_id?)),
            AccessTarget::Repository(GlRepository::GroupWiki(_) | GlRepository::Design(_)) => return None,
            AccessTarget::Path(path) => match path.suffixed() {
                Some(SuffixedPath::Snippet(of, id)) if !self.named => {
                    // The snippet must be the named project's, or where none is named, nobody's but its author's.
                    let belongs = match of {
                        None => self.snippet_project_id.is_none(),
                        Some(_) => self.snippet_project_id.is_some() && self.snippet_project_id == self.project_id,
                    };
                    (self.snippet_id.is_some() && belongs).then_some(GlRepository::Snippet(id))?
                }
                Some(SuffixedPath::Wiki(_)) if !self.named => GlRepository::Wiki(project()?),
                Some(SuffixedPath::Design(_)) if !self.named => GlRepository::Design(project()?.0),
                _ => GlRepository::Project(project()?),
            },
        };
        let snippet = self.snippet();
        let exists = if snippet.is_some() { self.snippet_storage.is_some() } else { self.repository_exists };
        Some(RepositoryContainer { repository, exists, moved_from: self.moved_from(target), snippet })
    }

    /// The path that was asked for, where it is not the project's path of today.
    fn moved_from(&self, target: &AccessTarget) -> Option<String> {
        let AccessTarget::Path(path) = target else { return None };
        let asked = match path.suffixed() {
            Some(SuffixedPath::Wiki(of) | SuffixedPath::Design(of)) if !self.named => of,
            Some(SuffixedPath::Snippet(..)) if !self.named => return None,
            _ => path.as_str(),
        };
        let same = self.full_path.as_deref().is_some_and(|now| now.eq_ignore_ascii_case(asked));
        (!same).then(|| path.as_str().to_owned())
    }

    fn snippet(&self) -> Option<AccessSnippet> {
        Some(AccessSnippet {
            id: SnippetId(self.snippet_id?),
            author: UserId(self.snippet_author_id?),
            visibility: VisibilityLevel::from_level(self.snippet_visibility_level.unwrap_or_default()),
            repository_read_only: self.snippet_read_only.unwrap_or_default(),
            storage: self.snippet_storage.clone().unwrap_or_default(),
        })
    }
}

/// The top-level namespace of these columns.
pub(super) fn root(
    id: NamespaceId,
    protocol: Option<i16>,
    certificates: Option<bool>,
    ranges: &[String],
) -> RootNamespace {
    let (ip_allowlist, ip_restricted) = networks(ranges.iter().map(String::as_str));
    RootNamespace {
        id,
        git_protocol: match protocol {
            Some(1) => Some(AccessProtocol::Ssh),
            Some(2) => Some(AccessProtocol::Http),
            _ => None,
        },
        enforce_ssh_certificates: certificates.unwrap_or_default(),
        ip_allowlist,
        ip_restricted,
    }
}

/// The addresses that the instance lets in everywhere, of the text of its setting.
#[must_use]
pub fn globally_allowed(list: Option<&str>) -> Vec<IpNet> {
    networks(list.iter().flat_map(|list| list.split(','))).0
}

/// The networks of a list, and whether some entry of it is none.
fn networks<'a>(list: impl Iterator<Item = &'a str>) -> (Vec<IpNet>, bool) {
    let entries: Vec<&str> = list.map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let parse =
        |entry: &&str| entry.parse().ok().or_else(|| Some(IpNet::from(entry.parse::<std::net::IpAddr>().ok()?)));
    let networks: Vec<IpNet> = entries.iter().filter_map(parse).collect();
    let broken = networks.len() < entries.len();
    (networks, broken)
}
