//! The access rules as values: the policy as tables, and each rule's place in the order of the contract.

mod credentials;
mod explain;
mod order;
mod places;
mod policy;
mod repositories;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::domain::ids::{KeyId, NamespaceId, ProjectId, SnippetId, UserId};
use crate::domain::repository::RepositoryPath;
use crate::domain::ssh_key::KeyKind;

const URL: &str = "https://git.example.com";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn user() -> AccessUser {
    AccessUser {
        id: UserId(5),
        username: "rubi".to_owned(),
        state: UserState::Active,
        internal: false,
        bot: false,
        admin: false,
        auditor: false,
        external: false,
        confirmed: true,
        created_at: Some(now() - TimeDelta::days(100)),
        locked_at: None,
        password_expires_at: None,
        password_automatically_set: false,
        ldap: false,
        terms_accepted: false,
        last_activity_on: None,
        two_factor: false,
    }
}

fn key(deploy: bool) -> AccessKey {
    let strength = KeyStrength::Known(KeyKind::Rsa, 2048);
    let created_at = Some(now() - TimeDelta::days(30));
    AccessKey {
        id: KeyId(11),
        deploy,
        expires_at: None,
        created_at,
        strength,
        last_used_at: None,
        otp_session_until: None,
    }
}

/// A developer, by an SSH key of theirs, and a private project with a repository and a wiki: everything is allowed.
pub(in crate::domain) fn facts() -> AccessFacts {
    AccessFacts {
        stale: None,
        now: now(),
        settings: Arc::new(AccessSettings {
            http_download: true,
            http_push: true,
            otp_login: None,
            lfs: true,
            read_only: false,
        }),
        instance: InstanceFacts::default(),
        key: Some(key(false)),
        user: Some(user()),
        project: Some(AccessProject {
            id: ProjectId(7),
            full_path: "g/s/p".to_owned(),
            visibility: VisibilityLevel::Private,
            hidden: false,
            archived: false,
            pending_deletion: false,
            repository_read_only: false,
            repository_level: FeatureLevel::Enabled,
            wiki_level: FeatureLevel::Enabled,
            snippets_level: FeatureLevel::Enabled,
            storage: "default".to_owned(),
            hashed_storage: true,
            root: RootNamespace {
                id: NamespaceId(3),
                git_protocol: None,
                enforce_ssh_certificates: false,
                ip_allowlist: Vec::new(),
                ip_restricted: false,
            },
            level: AccessLevel::DEVELOPER,
            deploy_key_can_push: None,
            collaborations: Vec::new(),
        }),
        container: Some(container(GlRepository::Project(ProjectId(7)))),
        abilities: GitAbilities::default(),
        deploy_token: None,
        credential: None,
    }
}

fn settings(facts: &mut AccessFacts) -> &mut AccessSettings {
    Arc::make_mut(&mut facts.settings)
}

fn container(repository: GlRepository) -> RepositoryContainer {
    RepositoryContainer { repository, exists: true, moved_from: None, snippet: None }
}

pub(in crate::domain) fn attempt(command: GitCommand) -> Attempt {
    Attempt {
        command,
        protocol: AccessProtocol::Ssh,
        actor: ActorName::Key(KeyId(11)),
        target: AccessTarget::Path(RepositoryPath::new("g/s/p.git")),
        changes: if command == GitCommand::Push { PushChanges::Any } else { PushChanges::None },
        client_ip: None,
        certified_by: None,
    }
}

pub(super) fn project(facts: &mut AccessFacts) -> &mut AccessProject {
    facts.project.as_mut().unwrap()
}

pub(super) fn account(facts: &mut AccessFacts) -> &mut AccessUser {
    facts.user.as_mut().unwrap()
}

/// The facts and the attempt after a change to both.
fn changed(action: GitCommand, change: impl FnOnce(&mut AccessFacts, &mut Attempt)) -> Decision {
    let (mut facts, mut attempt) = (facts(), attempt(action));
    change(&mut facts, &mut attempt);
    decide(&facts, &attempt)
}

fn acts(actor: &str, facts: &mut AccessFacts) {
    let level = match actor.rsplit(' ').next().unwrap() {
        "access" => AccessLevel(5),
        "guest" => AccessLevel::GUEST,
        "planner" => AccessLevel::PLANNER,
        "reporter" => AccessLevel::REPORTER,
        "developer" => AccessLevel::DEVELOPER,
        "maintainer" => AccessLevel::MAINTAINER,
        "owner" => AccessLevel::OWNER,
        _ => AccessLevel::NO_ACCESS,
    };
    project(facts).level = level;
    account(facts).external = actor.starts_with("external");
    let snippet = facts.container.as_mut().and_then(|container| container.snippet.as_mut());
    if let Some(snippet) = snippet.filter(|_| actor.contains("author")) {
        snippet.author = UserId(5);
    }
    account(facts).auditor = actor == "auditor";
    account(facts).admin = actor == "admin";
    if actor.starts_with("deploy key") {
        facts.key = Some(key(true));
        project(facts).deploy_key_can_push = match actor.rsplit(' ').next().unwrap() {
            "reading" => Some(false),
            "writing" => Some(true),
            _ => None,
        };
    }
    if actor == "nobody" {
        (facts.key, facts.user) = (None, None);
    }
}

/// A private snippet of another user's in the project.
fn of_snippet(facts: &mut AccessFacts) {
    facts.container = Some(container(GlRepository::Snippet(SnippetId(3))));
    facts.container.as_mut().unwrap().snippet = Some(AccessSnippet {
        id: SnippetId(3),
        author: UserId(99),
        visibility: VisibilityLevel::Private,
        repository_read_only: false,
        storage: "default".to_owned(),
    });
}

/// What makes one rule refuse an attempt that all others let through.
type Breach = (Denial, fn(&mut AccessFacts, &mut Attempt));

/// Each breach refuses by itself, and of any two the one that stands first in the list is told.
fn assert_order(action: GitCommand, ground: fn(&mut AccessFacts, &mut Attempt), breaches: &[Breach]) {
    for (place, (denial, breach)) in breaches.iter().enumerate() {
        for (_, later) in &breaches[place..] {
            let decision = changed(action, |facts, attempt| {
                ground(facts, attempt);
                later(facts, attempt);
                breach(facts, attempt);
            });
            assert_eq!(decision, Decision::Deny(denial.clone()));
        }
    }
}

const MAINTENANCE: Breach = (Denial::MaintenanceMode, |facts, _| facts.instance.maintenance_mode = true);
const OTP: Breach = (Denial::OtpRequired(String::new()), |facts, _| {
    settings(facts).otp_login = Some(String::new());
    account(facts).two_factor = true;
});
const PROTOCOL: Breach =
    (Denial::ProtocolClosed(AccessProtocol::Ssh), |facts, _| facts.instance.git_protocol = Some("http".to_owned()));
const SHORT_KEY: Breach = (Denial::KeyTooShort(4096), |facts, _| {
    facts.instance.key_limits = vec![(KeyKind::Rsa, KeyLimit::AtLeast(4096))];
});
const EXPIRED_KEY: Breach = (Denial::KeyExpired, |facts, _| facts.key.as_mut().unwrap().expires_at = Some(now()));
const ACCOUNT: Breach =
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).state = UserState::Banned);
const COMMAND: Breach = (Denial::UnknownCommand, |_, attempt| attempt.command = GitCommand::Unknown);
const READ_ONLY: Breach = (Denial::ReadOnlyDatabase, |facts, _| settings(facts).read_only = true);
const CERTIFICATE: Breach =
    (Denial::CertificateOfAnotherNamespace, |_, attempt| attempt.certified_by = Some("other".to_owned()));
const ABSENT: Breach = (Denial::NoSuchProject, |facts, _| (facts.project, facts.container) = (None, None));
const INVISIBLE: Breach =
    (Denial::Invisible(RepositoryKind::Project), |facts, _| project(facts).level = AccessLevel::NO_ACCESS);
const NO_REPOSITORY: Breach =
    (Denial::NoRepository(RepositoryKind::Project), |facts, _| facts.container.as_mut().unwrap().exists = false);
const MOVING: Breach = (Denial::RepositoryReadOnly, |facts, _| project(facts).repository_read_only = true);
const ARCHIVED: Breach = (Denial::Archived, |facts, _| project(facts).archived = true);

fn as_it_is(_: &mut AccessFacts, _: &mut Attempt) {}

fn by_http(_: &mut AccessFacts, attempt: &mut Attempt) {
    attempt.protocol = AccessProtocol::Http;
}
