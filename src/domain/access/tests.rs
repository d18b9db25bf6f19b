//! The access rules as values: the policy as tables, and each rule's place in the order of the contract.

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
pub(super) fn facts() -> AccessFacts {
    AccessFacts {
        now: now(),
        settings: Arc::new(AccessSettings { http_download: true, http_push: true, otp_login: None, lfs: true }),
        instance: InstanceFacts::default(),
        key: Some(key(false)),
        user: Some(user()),
        project: Some(AccessProject {
            id: ProjectId(7),
            full_path: "g/s/p".to_owned(),
            visibility: Visibility::Private,
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
    }
}

fn settings(facts: &mut AccessFacts) -> &mut AccessSettings {
    Arc::make_mut(&mut facts.settings)
}

fn container(repository: GlRepository) -> RepositoryContainer {
    RepositoryContainer { repository, exists: true, moved_from: None, snippet: None }
}

fn attempt(command: GitCommand) -> Attempt {
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

// The policy tables

/// Who acts in a row of a table.
const ACTORS: [&str; 17] = [
    "nobody",
    "deploy key, not enabled",
    "deploy key, reading",
    "deploy key, writing",
    "external, no member",
    "external, guest",
    "external, developer",
    "no member",
    "minimal access",
    "guest",
    "planner",
    "reporter",
    "developer",
    "maintainer",
    "owner",
    "auditor",
    "admin",
];

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

/// A letter for what becomes of an attempt, and `.` for the refusal that says no more than "you may not".
fn letter(decision: &Decision) -> char {
    match decision {
        Decision::Allow => 'y',
        Decision::Deny(Denial::NoSuchProject | Denial::NoSuchWiki | Denial::NoSuchSnippet) => '?',
        Decision::Deny(Denial::DeployKeyMayNotPush) => 'k',
        Decision::Deny(Denial::NobodyMayNotPush) => 'n',
        Decision::Deny(Denial::SnippetsNeedAUser) => 'u',
        Decision::Deny(
            Denial::MayNotDownload(_) | Denial::MayNotPush | Denial::MayNotWriteWiki | Denial::MayNotUpdateSnippet,
        ) => '.',
        Decision::Deny(other) => panic!("not in these tables: {other:?}"),
    }
}

/// A row for each actor, and in each cell a download and a push of what `ground` puts in place.
fn table(actors: &[&str], ground: impl Fn(&mut AccessFacts)) -> String {
    let mut lines = vec![format!("{:24}| private      | internal     | public", "")];
    lines.push(format!("{:24}|{}", "", [" all mem off"; 3].join("  |")));
    for actor in actors {
        let cells = [Visibility::Private, Visibility::Internal, Visibility::Public].map(|visibility| {
            let levels = [FeatureLevel::Enabled, FeatureLevel::Private, FeatureLevel::Disabled];
            let cells = levels.map(|level| {
                [GitCommand::Download, GitCommand::Push].map(|action| {
                    let decision = changed(action, |facts, _| {
                        ground(facts);
                        project(facts).visibility = visibility;
                        project(facts).repository_level = level;
                        project(facts).wiki_level = level;
                        project(facts).snippets_level = level;
                        acts(actor, facts);
                    });
                    letter(&decision)
                })
            });
            cells.map(|pair| pair.iter().collect::<String>()).join("  ")
        });
        lines.push(format!("{actor:24}| {}", cells.join("   | ")));
    }
    lines.join("\n")
}

#[test]
fn the_policy_of_projects() {
    // y: yes, . : a plain no, ?: could not be found, k: this deploy key, n: nobody; first the download, then the push
    let ground = |facts: &mut AccessFacts| facts.container = Some(container(GlRepository::Project(ProjectId(7))));
    insta::assert_snapshot!(table(&ACTORS, ground), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | ??  ??  ??   | ??  ??  ??   | yn  .n  .n
    deploy key, not enabled | ??  ??  ??   | ??  ??  ??   | yk  .k  .k
    deploy key, reading     | yk  yk  .k   | yk  yk  .k   | yk  yk  .k
    deploy key, writing     | yy  yy  .y   | yy  yy  .y   | yy  yy  .y
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    external, guest         | ..  ..  ..   | ..  ..  ..   | y.  y.  ..
    external, developer     | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    guest                   | ..  ..  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

#[test]
fn the_policy_of_wikis() {
    let ground = |facts: &mut AccessFacts| facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
    insta::assert_snapshot!(table(&ACTORS, ground), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | ??  ??  ??   | ??  ??  ??   | yn  .n  .n
    deploy key, not enabled | ??  ??  ??   | ??  ??  ??   | yk  .k  .k
    deploy key, reading     | yk  yk  .k   | yk  yk  .k   | yk  yk  .k
    deploy key, writing     | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    external, guest         | ..  ..  ..   | ..  ..  ..   | y.  y.  ..
    external, developer     | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    guest                   | ..  ..  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

/// Snippets of this visibility, with a row for whoever wrote one beside those of [`ACTORS`].
fn table_of_snippets(visibility: Visibility) -> String {
    let authors = ["external author, none", "external author, guest", "author, no member", "author, guest"];
    let actors: Vec<&str> = ACTORS.into_iter().chain(authors).collect();
    table(&actors, |facts| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().snippet.as_mut().unwrap().visibility = visibility;
    })
}

/// Ruling 21. u: only users have snippets
#[test]
fn the_policy_of_private_snippets() {
    insta::assert_snapshot!(table_of_snippets(Visibility::Private), @"
                            | private      | internal     | public
                            | all mem off  | all mem off  | all mem off
    nobody                  | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, not enabled | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, reading     | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    deploy key, writing     | uu  uu  uu   | uu  uu  uu   | uu  uu  uu
    external, no member     | ??  ??  ??   | ??  ??  ??   | ..  ..  ..
    external, guest         | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    external, developer     | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    no member               | ??  ??  ??   | ..  ..  ..   | ..  ..  ..
    minimal access          | ??  ??  ??   | ..  ..  ..   | ..  ..  ..
    guest                   | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    planner                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    reporter                | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    developer               | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    maintainer              | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    owner                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    auditor                 | y.  y.  ..   | y.  y.  ..   | y.  y.  ..
    admin                   | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    external author, none   | ??  ??  ??   | ??  ??  ??   | yy  ..  ..
    external author, guest  | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    author, no member       | ??  ??  ??   | yy  ..  ..   | yy  ..  ..
    author, guest           | yy  yy  ..   | yy  yy  ..   | yy  yy  ..
    ");
}

/// What a wider visibility changes: users who are no members begin to see the snippet, and nothing else does.
#[test]
fn the_policy_of_snippets_that_others_see() {
    let private = table_of_snippets(Visibility::Private);
    let wider = |visibility| {
        let table = table_of_snippets(visibility);
        let rows: Vec<&str> = table.lines().filter(|row| !private.lines().any(|before| before == *row)).collect();
        rows.join("\n")
    };
    insta::assert_snapshot!(wider(Visibility::Internal), @"
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    ");
    insta::assert_snapshot!(wider(Visibility::Public), @"
    external, no member     | ??  ??  ??   | ??  ??  ??   | y.  ..  ..
    no member               | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    minimal access          | ??  ??  ??   | y.  ..  ..   | y.  ..  ..
    ");
}

// The order

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
const READ_ONLY: Breach = (Denial::ReadOnlyDatabase, |facts, _| facts.instance.read_only = true);
const CERTIFICATE: Breach =
    (Denial::CertificateOfAnotherNamespace, |_, attempt| attempt.certified_by = Some("other".to_owned()));
const ABSENT: Breach = (Denial::NoSuchProject, |facts, _| (facts.project, facts.container) = (None, None));
const INVISIBLE: Breach = (Denial::NoSuchProject, |facts, _| project(facts).level = AccessLevel::NO_ACCESS);
const NO_REPOSITORY: Breach =
    (Denial::NoRepository(RepositoryKind::Project), |facts, _| facts.container.as_mut().unwrap().exists = false);
const MOVING: Breach = (Denial::RepositoryReadOnly, |facts, _| project(facts).repository_read_only = true);
const ARCHIVED: Breach = (Denial::Archived, |facts, _| project(facts).archived = true);

fn as_it_is(_: &mut AccessFacts, _: &mut Attempt) {}

fn by_http(_: &mut AccessFacts, attempt: &mut Attempt) {
    attempt.protocol = AccessProtocol::Http;
}

#[test]
fn a_push_is_refused_for_the_first_reason() {
    let may_not_push: Breach = (Denial::MayNotPush, |facts, _| project(facts).level = AccessLevel::REPORTER);
    let breaches = [
        MAINTENANCE,
        OTP,
        PROTOCOL,
        SHORT_KEY,
        EXPIRED_KEY,
        ACCOUNT,
        READ_ONLY,
        CERTIFICATE,
        INVISIBLE,
        NO_REPOSITORY,
        MOVING,
        ARCHIVED,
        may_not_push,
    ];
    assert_order(GitCommand::Push, as_it_is, &breaches);
    assert_order(
        GitCommand::Push,
        as_it_is,
        &[MAINTENANCE, PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, READ_ONLY, ABSENT],
    );
}

#[test]
fn a_download_is_refused_for_the_first_reason() {
    let may_not_download: Breach =
        (Denial::MayNotDownload(RepositoryKind::Project), |facts, _| project(facts).level = AccessLevel::GUEST);
    let breaches = [
        OTP,
        PROTOCOL,
        SHORT_KEY,
        EXPIRED_KEY,
        ACCOUNT,
        COMMAND,
        CERTIFICATE,
        INVISIBLE,
        NO_REPOSITORY,
        may_not_download,
    ];
    assert_order(GitCommand::Download, as_it_is, &breaches);
    assert_order(GitCommand::Download, as_it_is, &[PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, COMMAND, ABSENT]);
}

#[test]
fn git_over_http_is_closed_by_direction_after_the_account() {
    let download: Breach = (Denial::HttpDownloadClosed, |facts, _| settings(facts).http_download = false);
    assert_order(GitCommand::Download, by_http, &[ACCOUNT, download, INVISIBLE]);
    let push: Breach = (Denial::HttpPushClosed, |facts, _| settings(facts).http_push = false);
    assert_order(GitCommand::Push, by_http, &[ACCOUNT, push, READ_ONLY, INVISIBLE]);
    let open_by_ssh = changed(GitCommand::Push, |facts, _| {
        (settings(facts).http_download, settings(facts).http_push) = (false, false)
    });
    assert_eq!(open_by_ssh, Decision::Allow);
}

#[test]
fn deploy_keys_and_nobody_learn_of_a_closed_project_before_their_own_limits() {
    fn with_deploy_key(facts: &mut AccessFacts, _: &mut Attempt) {
        acts("deploy key, writing", facts);
    }
    fn as_nobody(facts: &mut AccessFacts, _: &mut Attempt) {
        acts("nobody", facts);
        project(facts).visibility = Visibility::Public;
    }
    let reads: Breach = (Denial::DeployKeyMayNotPush, |facts, _| project(facts).deploy_key_can_push = Some(false));
    assert_order(GitCommand::Push, with_deploy_key, &[SHORT_KEY, EXPIRED_KEY, NO_REPOSITORY, MOVING, ARCHIVED, reads]);
    let nobody: Breach = (Denial::NobodyMayNotPush, |_, _| {});
    assert_order(GitCommand::Push, as_nobody, &[PROTOCOL, NO_REPOSITORY, MOVING, ARCHIVED, nobody]);
}

#[test]
fn a_deploy_keys_creator_is_not_looked_at() {
    let decision = changed(GitCommand::Push, |facts, _| {
        acts("deploy key, writing", facts);
        account(facts).state = UserState::Blocked;
    });
    assert_eq!(decision, Decision::Allow);
}

#[test]
fn a_project_that_waits_for_its_deletion_may_be_fetched_from_alone() {
    let change: fn(&mut AccessFacts, &mut Attempt) = |facts, _| project(facts).pending_deletion = true;
    assert_eq!(changed(GitCommand::Download, change), Decision::Allow);
    assert_eq!(changed(GitCommand::Push, change), Decision::Deny(Denial::MayNotPush));
}

#[test]
fn what_cannot_be_pushed_to_may_be_fetched_from() {
    for (denial, breach) in [MAINTENANCE, READ_ONLY, MOVING, ARCHIVED] {
        assert_eq!(changed(GitCommand::Download, breach), Decision::Allow, "{denial:?}");
    }
}

// One-time passwords

#[test]
fn a_one_time_password_is_asked_of_users_with_one_who_come_by_ssh_with_a_key() {
    type Change = fn(&mut AccessFacts, &mut Attempt);
    let with = |change: Change| {
        changed(GitCommand::Download, |facts, attempt| {
            settings(facts).otp_login = Some("git@host -p 2222".to_owned());
            account(facts).two_factor = true;
            change(facts, attempt);
        })
    };
    let Decision::Deny(denial) = with(as_it_is) else { panic!("allowed") };
    insta::assert_snapshot!(denial.sentence(URL), @r"
    OTP verification is required to access the repository.

       Use: ssh git@host -p 2222 2fa_verify
    ");
    let ended: Change = |facts, _| facts.key.as_mut().unwrap().otp_session_until = Some(now());
    assert_eq!(with(ended), Decision::Deny(denial));
    let open: Change = |facts, _| facts.key.as_mut().unwrap().otp_session_until = Some(now() + TimeDelta::seconds(1));
    let exempt: [Change; 5] = [
        open,
        by_http,
        |facts, _| account(facts).two_factor = false,
        |facts, _| facts.key = None,
        |facts, _| acts("deploy key, reading", facts),
    ];
    for change in exempt {
        assert_eq!(with(change), Decision::Allow);
    }
}

// Protocols

#[test]
fn a_group_may_narrow_the_protocol_and_the_web_is_always_open() {
    let change = |protocol: AccessProtocol, instance: Option<&str>, root: Option<AccessProtocol>| {
        changed(GitCommand::Download, |facts, attempt| {
            attempt.protocol = protocol;
            facts.instance.git_protocol = instance.map(str::to_owned);
            project(facts).root.git_protocol = root;
        })
    };
    let closed = |protocol: AccessProtocol| Decision::Deny(Denial::ProtocolClosed(protocol));
    assert_eq!(change(AccessProtocol::Ssh, None, Some(AccessProtocol::Ssh)), Decision::Allow);
    assert_eq!(change(AccessProtocol::Ssh, None, Some(AccessProtocol::Http)), closed(AccessProtocol::Ssh));
    assert_eq!(change(AccessProtocol::Http, Some("ssh"), None), closed(AccessProtocol::Http));
    assert_eq!(change(AccessProtocol::Web, Some("ssh"), Some(AccessProtocol::Ssh)), Decision::Allow);
    let ftp = AccessProtocol::from("ftp");
    assert_eq!(change(ftp.clone(), None, None), Decision::Allow);
    assert_eq!(change(ftp.clone(), Some("ssh"), None), closed(ftp.clone()));
    assert_eq!(Denial::ProtocolClosed(ftp).sentence(URL), "Git access over FTP is not allowed");
    // Case matters: it is a word of the clients', not of people's.
    assert_eq!(change(AccessProtocol::from("SSH"), Some("ssh"), None), closed(AccessProtocol::from("SSH")));
}

// Keys

#[test]
fn key_restrictions_name_what_would_be_right() {
    use KeyKind::{Dsa, Ecdsa, EcdsaSk, Ed25519, Ed25519Sk, Rsa};
    let refused = |limits: &[(KeyKind, KeyLimit)]| {
        let decision = changed(GitCommand::Download, |facts, _| facts.instance.key_limits = limits.to_vec());
        match decision {
            Decision::Deny(denial) => denial.sentence(URL),
            Decision::Allow => "allowed".to_owned(),
        }
    };
    let forbidden = |kinds: &[KeyKind]| kinds.iter().map(|kind| (*kind, KeyLimit::Forbidden)).collect::<Vec<_>>();
    let said = [
        refused(&[(Rsa, KeyLimit::AtLeast(2048))]),
        refused(&[(Rsa, KeyLimit::AtLeast(2049))]),
        refused(&forbidden(&[Dsa, Ecdsa])),
        refused(&forbidden(&[Rsa])),
        refused(&forbidden(&[Rsa, Dsa, Ecdsa, EcdsaSk])),
        refused(&forbidden(&[Rsa, Dsa, Ecdsa, EcdsaSk, Ed25519Sk])),
        refused(&[(Rsa, KeyLimit::Forbidden), (Ed25519, KeyLimit::AtLeast(256))]),
    ];
    insta::assert_snapshot!(said.join("\n"), @"
    allowed
    Your SSH key must be at least 2049 bits.
    allowed
    Your SSH key type is forbidden. Must be DSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK.
    Your SSH key type is forbidden. Must be ED25519 or ED25519_SK.
    Your SSH key type is forbidden. Must be ED25519.
    Your SSH key type is forbidden. Must be DSA, ECDSA, ED25519, ECDSA_SK, or ED25519_SK.
    ");
}

#[test]
fn a_key_that_cannot_be_read_is_of_no_type_that_is_open() {
    let with = |strength| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.key_limits = vec![(KeyKind::Rsa, KeyLimit::Forbidden)];
            facts.key.as_mut().unwrap().strength = strength;
        })
    };
    assert!(matches!(with(KeyStrength::Unreadable), Decision::Deny(Denial::KeyTypeForbidden(_))));
    assert_eq!(with(KeyStrength::NotLookedAt), Decision::Allow);
}

#[test]
fn a_key_lives_no_longer_than_the_instance_allows() {
    let with = |longest: Option<i64>, created: i64, expires: Option<i64>| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.longest_key_life = longest.map(TimeDelta::days);
            let key = facts.key.as_mut().unwrap();
            key.created_at = Some(now() - TimeDelta::days(created));
            key.expires_at = expires.map(|days| now() + TimeDelta::days(days));
        })
    };
    assert_eq!(with(None, 30, None), Decision::Allow);
    assert_eq!(with(Some(90), 30, None), Decision::Deny(Denial::KeyNeverExpires));
    assert_eq!(with(Some(90), 30, Some(60)), Decision::Allow);
    assert_eq!(with(Some(90), 30, Some(61)), Decision::Deny(Denial::KeyLivesTooLong));
    assert_eq!(with(Some(90), 30, Some(0)), Decision::Deny(Denial::KeyExpired));
}

/// Whatever somebody is to it, and whatever they ask for.
#[test]
fn a_hidden_project_is_nowhere_to_be_found() {
    let hidden = |change: fn(&mut AccessFacts, &mut Attempt)| {
        [GitCommand::Download, GitCommand::Push].map(|action| {
            changed(action, |facts, attempt| {
                project(facts).hidden = true;
                change(facts, attempt);
            })
        })
    };
    let nobody = [Decision::Deny(Denial::NoSuchProject), Decision::Deny(Denial::NoSuchProject)];
    assert_eq!(hidden(|_, _| {}), nobody);
    assert_eq!(hidden(|facts, _| project(facts).level = AccessLevel::OWNER), nobody);
    assert_eq!(hidden(|facts, _| account(facts).admin = true), nobody);
    assert_eq!(hidden(|facts, _| project(facts).visibility = Visibility::Public), nobody);
    assert_eq!(
        hidden(|facts, _| {
            facts.key = Some(key(true));
            project(facts).deploy_key_can_push = Some(true);
        }),
        nobody
    );
}

#[test]
fn a_key_expires_on_the_second_and_its_user_is_told_a_week_before() {
    let with = |expires_at: Option<DateTime<Utc>>| {
        let mut facts = facts();
        facts.key.as_mut().unwrap().expires_at = expires_at;
        (decide(&facts, &attempt(GitCommand::Download)), key_expires_soon(&facts))
    };
    let second = TimeDelta::seconds(1);
    assert_eq!(with(None), (Decision::Allow, false));
    assert_eq!(with(Some(now())), (Decision::Deny(Denial::KeyExpired), false));
    assert_eq!(with(Some(now() + second)), (Decision::Allow, true));
    assert_eq!(with(Some(now() + TimeDelta::days(7))), (Decision::Allow, true));
    assert_eq!(with(Some(now() + TimeDelta::days(7) + second)), (Decision::Allow, false));
}

// Accounts

/// The account's breaches in the order of allowed.md 2.1.
const ACCOUNTS: [Breach; 9] = [
    (Denial::MayNotUseGit(AccountDenial::Internal), |facts, _| account(facts).internal = true),
    (Denial::MayNotUseGit(AccountDenial::PendingApproval), |facts, _| {
        account(facts).state = UserState::BlockedPendingApproval;
    }),
    (Denial::MayNotUseGit(AccountDenial::TermsNotAccepted(String::new())), |facts, _| {
        facts.instance.enforce_terms = true;
        account(facts).username = String::new();
    }),
    (Denial::MayNotUseGit(AccountDenial::Deactivated), |facts, _| account(facts).state = UserState::Deactivated),
    (Denial::MayNotUseGit(AccountDenial::Unconfirmed), |facts, _| {
        facts.instance.email_confirmation = EmailConfirmation::Hard;
        account(facts).confirmed = false;
    }),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).state = UserState::Blocked),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).state = UserState::Banned),
    (Denial::MayNotUseGit(AccountDenial::PasswordExpired), |facts, _| account(facts).password_expires_at = Some(now())),
    (Denial::MayNotUseGit(AccountDenial::Blocked), |facts, _| account(facts).locked_at = Some(now())),
];

#[test]
fn an_account_that_may_not_use_git_is_told_why() {
    assert_order(GitCommand::Download, as_it_is, &ACCOUNTS);
    assert_order(GitCommand::Push, as_it_is, &ACCOUNTS);
    let accounts = [
        AccountDenial::Internal,
        AccountDenial::PendingApproval,
        AccountDenial::TermsNotAccepted("rubi".to_owned()),
        AccountDenial::Deactivated,
        AccountDenial::Unconfirmed,
        AccountDenial::Blocked,
        AccountDenial::PasswordExpired,
    ];
    let said = accounts.map(|account| Denial::MayNotUseGit(account).sentence(URL));
    insta::assert_snapshot!(said.join("\n"), @"
    This action cannot be performed by internal users
    Your account is pending approval from your administrator and hence blocked.
    You (@rubi) must accept the Terms of Service in order to perform this action. To accept these terms, please access GitLab from a web browser at https://git.example.com.
    Your account has been deactivated by your administrator. Please log back in from a web browser to reactivate your account at https://git.example.com
    Your primary email address is not confirmed. Please check your inbox for the confirmation instructions. In case the link is expired, you can request a new confirmation email at https://git.example.com/users/confirmation/new
    Your account has been blocked.
    Your password expired. Please access GitLab from a web browser to update your password.
    ");
}

#[test]
fn an_expired_password_counts_only_where_somebody_logs_in_with_it() {
    let with = |change: fn(&mut AccessUser)| {
        changed(GitCommand::Download, |facts, _| {
            account(facts).password_expires_at = Some(now() - TimeDelta::days(1));
            change(account(facts));
        })
    };
    assert_eq!(with(|_| {}), Decision::Deny(Denial::MayNotUseGit(AccountDenial::PasswordExpired)));
    assert_eq!(with(|user| user.ldap = true), Decision::Allow);
    assert_eq!(with(|user| user.bot = true), Decision::Allow);
    assert_eq!(with(|user| user.password_automatically_set = true), Decision::Allow);
    assert_eq!(with(|user| user.password_expires_at = Some(now() + TimeDelta::seconds(1))), Decision::Allow);
}

#[test]
fn terms_and_addresses_ask_only_those_they_are_meant_for() {
    let terms = |change: fn(&mut AccessUser)| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.enforce_terms = true;
            change(account(facts));
        })
    };
    assert_eq!(terms(|user| user.terms_accepted = true), Decision::Allow);
    assert_eq!(terms(|user| user.bot = true), Decision::Allow);
    let unconfirmed = |setting: EmailConfirmation, age: i64| {
        changed(GitCommand::Download, |facts, _| {
            facts.instance.email_confirmation = setting;
            account(facts).confirmed = false;
            account(facts).created_at = Some(now() - TimeDelta::days(age));
        })
    };
    let refused = Decision::Deny(Denial::MayNotUseGit(AccountDenial::Unconfirmed));
    assert_eq!(unconfirmed(EmailConfirmation::Off, 100), Decision::Allow);
    assert_eq!(unconfirmed(EmailConfirmation::Soft, 2), Decision::Allow);
    assert_eq!(unconfirmed(EmailConfirmation::Soft, 3), refused);
    assert_eq!(unconfirmed(EmailConfirmation::Hard, 0), refused);
}

#[test]
fn a_lock_opens_after_ten_minutes() {
    let locked = |minutes| {
        changed(GitCommand::Download, |facts, _| account(facts).locked_at = Some(now() - TimeDelta::minutes(minutes)))
    };
    assert_eq!(locked(9), Decision::Deny(Denial::MayNotUseGit(AccountDenial::Blocked)));
    assert_eq!(locked(10), Decision::Allow);
}

// Addresses and certificates

#[test]
fn an_ip_allow_list_hides_the_project_from_other_addresses() {
    let from = |ip: Option<&str>, actor: &str, public: bool| {
        changed(GitCommand::Download, |facts, attempt| {
            project(facts).root.ip_allowlist = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
            facts.instance.globally_allowed_ips = vec!["192.0.2.1/32".parse().unwrap()];
            if public {
                project(facts).visibility = Visibility::Public;
            }
            acts(actor, facts);
            attempt.client_ip = ip.map(|ip| ip.parse().map_or(ClientIp::Garbage, ClientIp::Known));
        })
    };
    let hidden = Decision::Deny(Denial::NoSuchProject);
    for welcome in [Some("10.1.2.3"), Some("2001:db8::7"), Some("192.0.2.1"), None] {
        assert_eq!(from(welcome, "developer", false), Decision::Allow, "{welcome:?}");
    }
    for unwelcome in [Some("11.1.2.3"), Some("2001:db9::7"), Some("not an address")] {
        assert_eq!(from(unwelcome, "developer", false), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "deploy key, reading", false), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "nobody", true), hidden, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "admin", false), Decision::Allow, "{unwelcome:?}");
        assert_eq!(from(unwelcome, "auditor", false), Decision::Allow, "{unwelcome:?}");
    }
}

#[test]
fn an_allow_list_that_cannot_be_read_lets_nobody_in() {
    let decision = changed(GitCommand::Download, |facts, attempt| {
        project(facts).root.ip_restricted = true;
        attempt.client_ip = Some(ClientIp::Known("10.1.2.3".parse().unwrap()));
    });
    assert_eq!(decision, Decision::Deny(Denial::NoSuchProject));
}

#[test]
fn a_certificate_opens_the_projects_of_its_own_group_alone() {
    let certified = |namespace: Option<&str>, change: fn(&mut AccessFacts, &mut Attempt)| {
        changed(GitCommand::Push, |facts, attempt| {
            attempt.certified_by = namespace.map(str::to_owned);
            change(facts, attempt);
        })
    };
    let refused = Decision::Deny(Denial::CertificateOfAnotherNamespace);
    assert_eq!(certified(Some("g"), as_it_is), Decision::Allow);
    assert_eq!(certified(Some("G"), as_it_is), Decision::Allow);
    assert_eq!(certified(Some("g/s"), as_it_is), refused);
    // Gitaly's call does not tell of certificates, and wikis are not bound to them.
    assert_eq!(certified(Some("x"), |_, attempt| attempt.changes = PushChanges::Lines(String::new())), Decision::Allow);
    let wiki: fn(&mut AccessFacts, &mut Attempt) =
        |facts, _| facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
    assert_eq!(certified(Some("x"), wiki), Decision::Allow);
}

#[test]
fn a_group_may_ask_its_users_for_certificates() {
    let without = |change: fn(&mut AccessFacts, &mut Attempt)| {
        changed(GitCommand::Push, |facts, attempt| {
            project(facts).root.enforce_ssh_certificates = true;
            change(facts, attempt);
        })
    };
    assert_eq!(without(as_it_is), Decision::Deny(Denial::CertificateOfAnotherNamespace));
    assert_eq!(without(|_, attempt| attempt.certified_by = Some("g".to_owned())), Decision::Allow);
    assert_eq!(without(|facts, _| acts("deploy key, writing", facts)), Decision::Allow);
    assert_eq!(without(by_http), Decision::Allow);
}

// What is absent

#[test]
fn what_does_not_exist_is_named_as_it_was_asked_for() {
    let absent = |target: AccessTarget| {
        let decision = changed(GitCommand::Download, |facts, attempt| {
            (facts.project, facts.container) = (None, None);
            attempt.target = target.clone();
        });
        match decision {
            Decision::Deny(denial) => denial,
            Decision::Allow => panic!("{target:?} was allowed"),
        }
    };
    let path = |path: &str| absent(AccessTarget::Path(RepositoryPath::new(path)));
    assert_eq!(path("g/p.git"), Denial::NoSuchProject);
    assert_eq!(path("g/p.wiki.git"), Denial::NoSuchProject);
    assert_eq!(path("justname"), Denial::NoSuchNamespace);
    assert_eq!(path("/var/opt/gitlab/git data/x.git"), Denial::NoSuchNamespace);
    assert_eq!(path("api/v4.git"), Denial::NoSuchNamespace);
    let named = |name: &str| absent(AccessTarget::Repository(GlRepository::parse(name).unwrap()));
    assert_eq!(named("project-9"), Denial::NoSuchNamespace);
    assert_eq!(named("wiki-9"), Denial::NoSuchWiki);
    assert_eq!(named("group-9-wiki"), Denial::NoSuchWiki);
    assert_eq!(named("snippet-9"), Denial::NoSuchSnippet);
}

#[test]
fn a_wiki_is_told_from_its_project() {
    let wiki = |action: GitCommand, change: fn(&mut AccessFacts)| {
        changed(action, |facts, _| {
            facts.container = Some(container(GlRepository::Wiki(ProjectId(7))));
            change(facts);
        })
    };
    let denied = |denial: Denial| Decision::Deny(denial);
    assert_eq!(wiki(GitCommand::Push, |facts| acts("no member", facts)), denied(Denial::NoSuchWiki));
    let missing: fn(&mut AccessFacts) = |facts| {
        facts.container.as_mut().unwrap().exists = false;
        acts("guest", facts);
    };
    assert_eq!(wiki(GitCommand::Push, missing), denied(Denial::NoRepository(RepositoryKind::Wiki)));
    assert_eq!(wiki(GitCommand::Push, |facts| project(facts).archived = true), denied(Denial::Archived));
    // The two features are switched one by one.
    assert_eq!(
        wiki(GitCommand::Push, |facts| project(facts).repository_level = FeatureLevel::Disabled),
        Decision::Allow
    );
    let off: fn(&mut AccessFacts) = |facts| project(facts).wiki_level = FeatureLevel::Disabled;
    assert_eq!(wiki(GitCommand::Download, off), denied(Denial::MayNotDownload(RepositoryKind::Wiki)));
    assert_eq!(wiki(GitCommand::Push, off), denied(Denial::MayNotWriteWiki));
}

// Designs and snippets

#[test]
fn designs_are_for_the_web_and_for_those_who_make_them() {
    let design = |protocol: AccessProtocol, change: fn(&mut AccessFacts)| {
        changed(GitCommand::Push, |facts, attempt| {
            facts.container = Some(container(GlRepository::Design(7)));
            attempt.protocol = protocol;
            change(facts);
        })
    };
    let web_only = Decision::Deny(Denial::DesignsAreWebOnly);
    assert_eq!(design(AccessProtocol::Ssh, |_| {}), web_only);
    assert_eq!(design(AccessProtocol::Http, |facts| facts.instance.maintenance_mode = true), web_only);
    assert_eq!(design(AccessProtocol::Web, |_| {}), Decision::Allow);
    let may_not = Decision::Deny(Denial::MayNotManageDesigns);
    for actor in ["reporter", "nobody", "deploy key, writing"] {
        let decision = changed(GitCommand::Push, |facts, attempt| {
            facts.container = Some(container(GlRepository::Design(7)));
            attempt.protocol = AccessProtocol::Web;
            acts(actor, facts);
        });
        assert_eq!(decision, may_not, "{actor}");
    }
}

#[test]
fn nobody_manages_the_designs_of_no_project() {
    let decision = changed(GitCommand::Download, |facts, attempt| {
        acts("admin", facts);
        (facts.project, facts.container) = (None, None);
        attempt.protocol = AccessProtocol::Web;
        attempt.target = AccessTarget::Repository(GlRepository::Design(1));
    });
    assert_eq!(decision, Decision::Deny(Denial::MayNotManageDesigns));
}

/// A private snippet of another user's in the project.
fn of_snippet(facts: &mut AccessFacts) {
    facts.container = Some(container(GlRepository::Snippet(SnippetId(3))));
    facts.container.as_mut().unwrap().snippet = Some(AccessSnippet {
        id: SnippetId(3),
        author: UserId(99),
        visibility: Visibility::Private,
        repository_read_only: false,
        storage: "default".to_owned(),
    });
}

fn snippet(action: GitCommand, change: fn(&mut AccessFacts, &mut AccessSnippet)) -> Decision {
    changed(action, |facts, _| {
        of_snippet(facts);
        let mut snippet = facts.container.as_mut().unwrap().snippet.take().unwrap();
        change(facts, &mut snippet);
        facts.container.as_mut().unwrap().snippet = Some(snippet);
    })
}

#[test]
fn a_snippet_needs_a_user_before_it_looks_at_them() {
    fn ground(facts: &mut AccessFacts, _: &mut Attempt) {
        of_snippet(facts);
    }
    let no_user: Breach = (Denial::SnippetsNeedAUser, |facts, _| facts.key = Some(key(true)));
    let hidden: Breach = (Denial::NoSuchSnippet, |facts, _| project(facts).level = AccessLevel::NO_ACCESS);
    assert_order(GitCommand::Push, ground, &[MAINTENANCE, PROTOCOL, SHORT_KEY, no_user, READ_ONLY]);
    assert_order(GitCommand::Push, ground, &[MAINTENANCE, PROTOCOL, SHORT_KEY, EXPIRED_KEY, ACCOUNT, hidden]);
    let unknown = changed(GitCommand::Push, |facts, attempt| {
        (facts.project, facts.container) = (None, None);
        facts.instance.maintenance_mode = true;
        attempt.target = AccessTarget::Repository(GlRepository::Snippet(SnippetId(3)));
    });
    assert_eq!(unknown, Decision::Deny(Denial::NoSuchSnippet));
}

#[test]
fn a_snippet_is_read_by_members_and_changed_by_its_author() {
    let may_not_read = Decision::Deny(Denial::MayNotDownload(RepositoryKind::Snippet));
    let may_not_update = Decision::Deny(Denial::MayNotUpdateSnippet);
    assert_eq!(snippet(GitCommand::Download, |facts, _| acts("guest", facts)), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, |_, _| {}), may_not_update);
    assert_eq!(snippet(GitCommand::Push, |_, snippet| snippet.author = UserId(5)), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, |facts, _| acts("maintainer", facts)), Decision::Allow);
    let moving: fn(&mut AccessFacts, &mut AccessSnippet) = |facts, snippet| {
        acts("maintainer", facts);
        snippet.repository_read_only = true;
    };
    assert_eq!(snippet(GitCommand::Push, moving), Decision::Deny(Denial::RepositoryReadOnly));
    let off: fn(&mut AccessFacts, &mut AccessSnippet) =
        |facts, _| project(facts).snippets_level = FeatureLevel::Disabled;
    assert_eq!(snippet(GitCommand::Download, off), may_not_read);
    // A personal snippet has no members.
    assert_eq!(snippet(GitCommand::Download, |facts, _| facts.project = None), may_not_read);
    let internal: fn(&mut AccessFacts, &mut AccessSnippet) = |facts, snippet| {
        facts.project = None;
        snippet.visibility = Visibility::Internal;
    };
    assert_eq!(snippet(GitCommand::Download, internal), Decision::Allow);
    assert_eq!(snippet(GitCommand::Push, internal), may_not_update);
    let missing = changed(GitCommand::Download, |facts, _| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().exists = false;
    });
    assert_eq!(missing, Decision::Deny(Denial::NoRepository(RepositoryKind::Snippet)));
}

/// P5: the second call finds out for which branch the merge request is.
#[test]
fn a_merge_request_lets_a_stranger_begin_a_push() {
    let collaborates = |change: fn(&mut AccessFacts)| {
        changed(GitCommand::Push, |facts, _| {
            project(facts).visibility = Visibility::Public;
            project(facts).level = AccessLevel::NO_ACCESS;
            let (branch, target_branch) = ("topic".to_owned(), "main".to_owned());
            let (target, level) = (ProjectId(9), AccessLevel::DEVELOPER);
            project(facts).collaborations = vec![BranchCollaboration { branch, target, target_branch, level }];
            change(facts);
        })
    };
    assert_eq!(collaborates(|_| {}), Decision::Allow);
    let refused = Decision::Deny(Denial::MayNotPush);
    assert_eq!(collaborates(|facts| project(facts).collaborations.clear()), refused);
    assert_eq!(collaborates(|facts| project(facts).pending_deletion = true), refused);
    assert_eq!(collaborates(|facts| project(facts).repository_level = FeatureLevel::Private), refused);
    assert_eq!(collaborates(|facts| project(facts).archived = true), Decision::Deny(Denial::Archived));
    let unseen = collaborates(|facts| project(facts).visibility = Visibility::Private);
    assert_eq!(unseen, Decision::Deny(Denial::NoSuchProject), "who does not see the project does not push to it");
}

#[test]
fn a_push_makes_the_repository_that_it_misses_where_it_would_be_let_in() {
    let made = |command, change: fn(&mut AccessFacts, &mut Attempt)| {
        let (mut facts, mut attempt) = (facts(), attempt(command));
        facts.container.as_mut().unwrap().exists = false;
        change(&mut facts, &mut attempt);
        let decision = decide(&facts, &attempt);
        may_make_repository(&facts, &attempt, &decision)
    };
    let wiki = |facts: &mut AccessFacts, _: &mut Attempt| {
        facts.container.as_mut().unwrap().repository = GlRepository::Wiki(ProjectId(7));
    };
    assert!(made(GitCommand::Push, as_it_is) && made(GitCommand::Push, wiki));
    assert!(!made(GitCommand::Download, as_it_is), "a download makes nothing");
    assert!(!made(GitCommand::Push, |facts, _| project(facts).level = AccessLevel::REPORTER), "they may not push");
    assert!(!made(GitCommand::Push, |facts, _| facts.instance.maintenance_mode = true), "refused before");
    assert!(!made(GitCommand::Push, |facts, _| facts.container.as_mut().unwrap().exists = true), "it is there");
    let snippet = |facts: &mut AccessFacts, _: &mut Attempt| {
        of_snippet(facts);
        facts.container.as_mut().unwrap().exists = false;
        account(facts).admin = true;
    };
    assert!(!made(GitCommand::Push, snippet), "snippets come with their repository");
}

#[test]
fn a_repository_is_where_its_kind_and_its_storage_say() {
    let at = |change: fn(&mut AccessFacts)| {
        let mut facts = facts();
        change(&mut facts);
        facts
            .location()
            .map(|at| format!("{} {} {} {}", at.storage, at.relative_path, at.gl_repository, at.gl_project_path))
    };
    fn of(facts: &mut AccessFacts, repository: GlRepository) {
        project(facts).hashed_storage = false;
        facts.container = Some(container(repository));
    }
    let code = "79/02/7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451.git";
    assert_eq!(at(|_| {}).unwrap(), format!("default @hashed/{code} project-7 g/s/p"));
    let rows = [
        at(|facts| of(facts, GlRepository::Project(ProjectId(7)))).unwrap(),
        at(|facts| of(facts, GlRepository::Wiki(ProjectId(7)))).unwrap(),
        at(|facts| of(facts, GlRepository::Design(7))).unwrap(),
    ];
    insta::assert_snapshot!(rows.join("\n"), @"
    default g/s/p.git project-7 g/s/p
    default g/s/p.wiki.git wiki-7 g/s/p.wiki
    default g/s/p.design.git design-7 g/s/p.design
    ");
    let of_project = at(of_snippet).unwrap();
    assert!(of_project.starts_with("default @snippets/") && of_project.ends_with(" snippet-3 g/s/p/snippets/3"));
    let personal = at(|facts| {
        of_snippet(facts);
        facts.project = None;
    });
    assert!(personal.unwrap().ends_with(" snippet-3 snippets/3"));
    assert_eq!((at(|facts| facts.container = None), at(|facts| facts.project = None)), (None, None));
}

#[test]
fn the_facts_are_looked_up_by_who_does_what_to_which_repository() {
    let attempt = attempt(GitCommand::Push);
    let AccessSubject { command, actor, target } = attempt.subject();
    assert_eq!((command, actor, target), (GitCommand::Push, attempt.actor, attempt.target));
}
