//! The rules of an attempt in the order of the contract: the one list that decides and that explains.

use chrono::{DateTime, Utc};

use super::keys::{expired_key, long_lived_key, weak_key};
use super::snippets::{frozen_snippet, unwritable_snippet};
use super::{
    AccessActor, AccessFacts, AccessProject, AccessTarget, Attempt, ClientIp, Denial, EmailConfirmation, GitCommand,
    KeyStrength, RepositoryKind, UserState, archived_project, beyond_abilities, closed_http_download, closed_http_push,
    closed_protocol, collaborations, design_denial, download_denial, frozen_project, invisible_project,
    maintenance_mode, may_not_push_code, missing_otp, missing_repository, nobody_pushes, read_only_database,
    read_only_deploy_key, repository, repository_kind, snippet_without_user, unfit_account, unknown_command,
    unknown_namespace, unknown_repository, unknown_snippet, unwritable_wiki, wrong_certificate,
};
use crate::domain::level::{AccessLevel, FeatureLevel};
use crate::domain::repository::GlRepository;

/// A reason for which an attempt may be refused.
#[derive(Debug)]
pub(super) struct AccessRule {
    /// Its id in the contract.
    pub(super) id: &'static str,
    /// What it asks, for people.
    pub(super) asks: &'static str,
    /// Why it refuses the attempt; none where it lets it pass.
    pub(super) judge: fn(&AccessFacts, &Attempt) -> Option<Denial>,
    /// What it looks at.
    sees: fn(&AccessFacts, &Attempt) -> Vec<SeenFact>,
}

/// A fact that a rule looked at, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFact {
    /// What it is about.
    pub name: &'static str,
    /// What it was.
    pub value: String,
}

/// What one rule says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleVerdict {
    /// The rule's id in the contract, or the name of the push rule's setting.
    pub rule: &'static str,
    /// What the rule asks, for people.
    pub asks: &'static str,
    /// The ref that was judged, where the rule is about one.
    pub name: Option<String>,
    /// What it says.
    pub verdict: Verdict,
    /// What it looked at.
    pub facts: Vec<SeenFact>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing against it.
    Passed,
    /// No, for this reason. It is the first that says so.
    Denied(Denial),
    /// Nothing: an earlier rule has refused the attempt.
    NotReached,
}

impl SeenFact {
    pub(super) fn new(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: value.into() }
    }

    /// Something that is so or is not.
    pub(super) fn flag(name: &'static str, value: bool) -> Self {
        Self::new(name, if value { "yes" } else { "no" })
    }
}

/// Verdicts in the order of the rules, of which the first denial ends the asking.
#[derive(Debug, Default)]
pub(super) struct VerdictList {
    verdicts: Vec<RuleVerdict>,
    refused: bool,
}

impl VerdictList {
    /// Asks the next rule, unless one has refused before.
    pub(super) fn ask(
        &mut self,
        (rule, asks): (&'static str, &'static str),
        name: Option<String>,
        judge: impl FnOnce() -> Option<Denial>,
        facts: Vec<SeenFact>,
    ) {
        let verdict = if self.refused { Verdict::NotReached } else { judge().map_or(Verdict::Passed, Verdict::Denied) };
        self.refused |= matches!(verdict, Verdict::Denied(_));
        self.verdicts.push(RuleVerdict { rule, asks, name, verdict, facts });
    }

    pub(super) fn into_verdicts(self) -> Vec<RuleVerdict> {
        self.verdicts
    }
}

/// The rules that this attempt is held against, in order.
pub(super) fn rules_of(facts: &AccessFacts, attempt: &Attempt) -> impl Iterator<Item = &'static AccessRule> {
    let kind = repository_kind(facts, attempt);
    let (first, then): (&[AccessRule], &[AccessRule]) = match (attempt.command, kind) {
        _ if matches!(repository(facts, attempt), Some(GlRepository::Design(_))) => (DESIGN, &[]),
        (GitCommand::Download, _) => (EVERY, DOWNLOAD),
        (GitCommand::Push | GitCommand::Unknown, RepositoryKind::Project) => (EVERY, PROJECT_PUSH),
        (GitCommand::Push | GitCommand::Unknown, RepositoryKind::Wiki) => (EVERY, WIKI_PUSH),
        (GitCommand::Push | GitCommand::Unknown, RepositoryKind::Snippet) => (EVERY, SNIPPET_PUSH),
    };
    first.iter().chain(then)
}

/// What every rule says of the attempt. The first denial, if there is one, is the decision.
#[must_use]
pub fn explain(facts: &AccessFacts, attempt: &Attempt) -> Vec<RuleVerdict> {
    let mut verdicts = VerdictList::default();
    for rule in rules_of(facts, attempt) {
        verdicts.ask((rule.id, rule.asks), None, || (rule.judge)(facts, attempt), (rule.sees)(facts, attempt));
    }
    verdicts.into_verdicts()
}

const DESIGN: &[AccessRule] = &[AccessRule {
    id: "C1",
    asks: "designs are reached from the web, by developers",
    judge: design_denial,
    sees: |facts, attempt| vec![protocol(attempt), actor(facts), level(facts)],
}];

const EVERY: &[AccessRule] = &[
    AccessRule {
        id: "C2",
        asks: "the snippet exists",
        judge: unknown_snippet,
        sees: |_, attempt| vec![target(attempt)],
    },
    AccessRule {
        id: "B1",
        asks: "the installation takes pushes: it is not in maintenance mode",
        judge: maintenance_mode,
        sees: |facts, attempt| {
            vec![command(attempt), SeenFact::flag("maintenance mode", facts.instance.maintenance_mode)]
        },
    },
    AccessRule {
        id: "B4",
        asks: "a one-time password was shown, where git asks for one",
        judge: missing_otp,
        sees: |facts, _| {
            let asks = facts.settings.otp_login.is_some();
            let until = facts.key.as_ref().and_then(|key| key.otp_session_until);
            vec![SeenFact::flag("git asks for one-time passwords", asks), SeenFact::new("session until", time(until))]
        },
    },
    AccessRule {
        id: "D1",
        asks: "the protocol is open, for the installation and for the top-level group",
        judge: closed_protocol,
        sees: |facts, attempt| {
            let instance = facts.instance.git_protocol.clone().filter(|open| !open.is_empty());
            let root = facts.project.as_ref().and_then(|project| project.root.git_protocol.as_ref());
            let all = || "all".to_owned();
            vec![
                protocol(attempt),
                SeenFact::new("open on the installation", instance.unwrap_or_else(all)),
                SeenFact::new("open in the top-level group", root.map_or_else(all, |open| open.as_str().to_owned())),
            ]
        },
    },
    AccessRule {
        id: "D2a",
        asks: "the SSH key is of a type and a length that are allowed",
        judge: |facts, _| weak_key(facts),
        sees: |facts, _| {
            let strength = facts.key.as_ref().map(|key| match key.strength {
                KeyStrength::NotLookedAt => "of a type that nothing restricts".to_owned(),
                KeyStrength::Unreadable => "unreadable".to_owned(),
                KeyStrength::Known(kind, bits) => format!("{kind} of {bits} bits"),
            });
            vec![key(facts), SeenFact::new("its making", strength.unwrap_or_else(none))]
        },
    },
    AccessRule {
        id: "D2b",
        asks: "the SSH key has not expired",
        judge: |facts, _| expired_key(facts),
        sees: |facts, _| {
            vec![key(facts), SeenFact::new("expires", time(facts.key.as_ref().and_then(|key| key.expires_at)))]
        },
    },
    AccessRule {
        id: "D2a",
        asks: "the SSH key lives no longer than the installation allows",
        judge: |facts, _| long_lived_key(facts),
        sees: |facts, _| {
            let days = facts.instance.longest_key_life.map(|life| life.num_days());
            vec![
                SeenFact::new("expires", time(facts.key.as_ref().and_then(|key| key.expires_at))),
                SeenFact::new("days allowed", days.map_or_else(|| "any".to_owned(), |days| days.to_string())),
            ]
        },
    },
    AccessRule {
        id: "D2c",
        asks: "a user reaches the snippet",
        judge: snippet_without_user,
        sees: |facts, attempt| vec![kind(facts, attempt), actor(facts)],
    },
    AccessRule {
        id: "D3",
        asks: "the account may use git",
        judge: |facts, _| unfit_account(facts),
        sees: |facts, _| account(facts),
    },
    AccessRule {
        id: "D3b",
        asks: "the token, where there is one, is for this",
        judge: beyond_abilities,
        sees: |facts, attempt| {
            vec![
                command(attempt),
                SeenFact::flag("may fetch", facts.abilities.download),
                SeenFact::flag("may push", facts.abilities.push),
            ]
        },
    },
    AccessRule {
        id: "D4",
        asks: "fetching over HTTP is open",
        judge: closed_http_download,
        sees: |facts, attempt| vec![protocol(attempt), SeenFact::flag("open", facts.settings.http_download)],
    },
    AccessRule {
        id: "D5",
        asks: "pushing over HTTP is open",
        judge: closed_http_push,
        sees: |facts, attempt| vec![protocol(attempt), SeenFact::flag("open", facts.settings.http_push)],
    },
    AccessRule {
        id: "D6",
        asks: "the command is one of git's",
        judge: |_, attempt| unknown_command(attempt),
        sees: |_, attempt| vec![command(attempt)],
    },
    AccessRule {
        id: "D7b",
        asks: "the installation takes pushes: it is not declared read-only",
        judge: read_only_database,
        sees: |facts, attempt| vec![command(attempt), SeenFact::flag("declared read-only", facts.settings.read_only)],
    },
    AccessRule {
        id: "D8",
        asks: "the SSH certificate is of the project's top-level group, where there is one or it is asked for",
        judge: wrong_certificate,
        sees: |facts, attempt| {
            let certified = attempt.certified_by.clone();
            let enforced = facts.project.as_ref().is_some_and(|project| project.root.enforce_ssh_certificates);
            vec![
                SeenFact::new("certificate of", certified.unwrap_or_else(none)),
                SeenFact::flag("certificates are enforced", enforced),
            ]
        },
    },
    AccessRule {
        id: "D8b",
        asks: "the path has a namespace, and the repository's id is known",
        judge: unknown_namespace,
        sees: |facts, attempt| vec![target(attempt), container(facts)],
    },
    AccessRule {
        id: "D9b",
        asks: "the project exists",
        judge: unknown_repository,
        sees: |facts, attempt| vec![target(attempt), container(facts)],
    },
    AccessRule {
        id: "D10",
        asks: "the actor may know of the project, from this address",
        judge: invisible_project,
        sees: visibility,
    },
    AccessRule {
        id: "D12",
        asks: "the repository is on its storage",
        judge: missing_repository,
        sees: |facts, _| {
            let exists = facts.container.as_ref().is_some_and(|container| container.exists);
            vec![container(facts), SeenFact::flag("on its storage", exists)]
        },
    },
];

const DOWNLOAD: &[AccessRule] = &[AccessRule {
    id: "2.3",
    asks: "the actor may read it: by level, or because it is open to all who see the project",
    judge: download_denial,
    sees: |facts, attempt| vec![actor(facts), level(facts), visibility_level(facts), feature(facts, attempt)],
}];

/// Why a push that no project stands under is refused: where nothing was found, D8b and D9b said so before.
const PROJECT_FOUND: AccessRule = AccessRule {
    id: "D9b",
    asks: "what is pushed to belongs to a project",
    judge: |facts, _| facts.project.is_none().then_some(Denial::NoSuchProject),
    sees: |facts, _| vec![container(facts)],
};

const FROZEN: AccessRule = AccessRule {
    id: "P1",
    asks: "the repository is not being moved",
    judge: |facts, _| frozen_project(facts),
    sees: |facts, _| {
        let moving = facts.project.as_ref().is_some_and(|project| project.repository_read_only);
        vec![SeenFact::flag("being moved", moving)]
    },
};

const ARCHIVED: AccessRule = AccessRule {
    id: "P2",
    asks: "neither the project nor a group above it is archived",
    judge: |facts, _| archived_project(facts),
    sees: |facts, _| vec![SeenFact::flag("archived", facts.project.as_ref().is_some_and(|project| project.archived))],
};

const DEPLOY_KEY: AccessRule = AccessRule {
    id: "P3",
    asks: "the deploy key may write to this project",
    judge: |facts, _| read_only_deploy_key(facts),
    sees: |facts, _| vec![actor(facts), deploy_key(facts)],
};

const NOBODY: AccessRule = AccessRule {
    id: "P4",
    asks: "somebody pushes",
    judge: |facts, _| nobody_pushes(facts),
    sees: |facts, _| vec![actor(facts)],
};

const PROJECT_PUSH: &[AccessRule] = &[
    PROJECT_FOUND,
    FROZEN,
    ARCHIVED,
    DEPLOY_KEY,
    NOBODY,
    AccessRule {
        id: "P5",
        asks: "the user may push code: a developer at least, or a collaborator on a merge request",
        judge: may_not_push_code,
        sees: |facts, _| {
            let deletion = facts.project.as_ref().is_some_and(|project| project.pending_deletion);
            let open = collaborations(facts).iter().map(|open| open.branch.as_str()).collect::<Vec<_>>().join(", ");
            vec![
                actor(facts),
                level(facts),
                repository_feature(facts),
                SeenFact::flag("waits for its deletion", deletion),
                SeenFact::new("branches open to collaborators", if open.is_empty() { none() } else { open }),
            ]
        },
    },
];

const WIKI_PUSH: &[AccessRule] = &[
    PROJECT_FOUND,
    FROZEN,
    ARCHIVED,
    DEPLOY_KEY,
    NOBODY,
    AccessRule {
        id: "P7",
        asks: "the user may write the wiki: a developer at least, or a planner",
        judge: |facts, _| unwritable_wiki(facts),
        sees: |facts, _| vec![actor(facts), level(facts), wiki_feature(facts)],
    },
];

const SNIPPET_PUSH: &[AccessRule] = &[
    AccessRule {
        id: "P1",
        asks: "the snippet is not being moved",
        judge: |facts, _| frozen_snippet(facts),
        sees: |facts, _| vec![container(facts)],
    },
    AccessRule {
        id: "P8",
        asks: "the user may update the snippet: its author, a maintainer of its project, or an administrator",
        judge: |facts, _| unwritable_snippet(facts),
        sees: |facts, attempt| vec![actor(facts), level(facts), feature(facts, attempt)],
    },
];

fn none() -> String {
    "none".to_owned()
}

/// A time as the commands print it; `never` where there is none.
fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn command(attempt: &Attempt) -> SeenFact {
    let word = match attempt.command {
        GitCommand::Download => "git-upload-pack",
        GitCommand::Push => "git-receive-pack",
        GitCommand::Unknown => "none of git's",
    };
    SeenFact::new("command", word)
}

fn protocol(attempt: &Attempt) -> SeenFact {
    SeenFact::new("protocol", attempt.protocol.as_str())
}

fn target(attempt: &Attempt) -> SeenFact {
    let name = match &attempt.target {
        AccessTarget::Repository(repository) => repository.to_string(),
        AccessTarget::Path(path) => path.as_str().to_owned(),
    };
    SeenFact::new("asked for", name)
}

fn container(facts: &AccessFacts) -> SeenFact {
    SeenFact::new("found", facts.location().map_or_else(|| "nothing".to_owned(), |found| found.gl_project_path))
}

fn kind(facts: &AccessFacts, attempt: &Attempt) -> SeenFact {
    let word = match repository_kind(facts, attempt) {
        RepositoryKind::Project => "project",
        RepositoryKind::Wiki => "wiki",
        RepositoryKind::Snippet => "snippet",
    };
    SeenFact::new("kind", word)
}

fn key(facts: &AccessFacts) -> SeenFact {
    let text = facts.key.as_ref().map(|key| format!("{} {}", if key.deploy { "deploy key" } else { "key" }, key.id));
    SeenFact::new("key", text.unwrap_or_else(none))
}

/// Who acts, as people name them.
pub(super) fn actor(facts: &AccessFacts) -> SeenFact {
    let text = match facts.actor() {
        AccessActor::User(user) if user.admin => format!("{}, an administrator", user.username),
        AccessActor::User(user) if user.auditor => format!("{}, an auditor", user.username),
        AccessActor::User(user) if user.external => format!("{}, an external user", user.username),
        AccessActor::User(user) => user.username.clone(),
        AccessActor::DeployKey(key) => format!("deploy key {}", key.id),
        AccessActor::DeployToken(token) => format!("deploy token {}", token.username),
        AccessActor::Nobody => "nobody that is known".to_owned(),
    };
    SeenFact::new("actor", text)
}

fn account(facts: &AccessFacts) -> Vec<SeenFact> {
    let AccessActor::User(user) = facts.actor() else { return vec![actor(facts)] };
    let state = match user.state {
        UserState::Active => "active",
        UserState::Blocked => "blocked",
        UserState::BlockedPendingApproval => "waits for approval",
        UserState::Deactivated => "deactivated",
        UserState::Banned => "banned",
    };
    let mut seen = vec![actor(facts), SeenFact::new("state", state)];
    let mut add = |name, value: Option<String>| seen.extend(value.map(|value| SeenFact::new(name, value)));
    add("account", user.internal.then(|| "the installation's own".to_owned()));
    add("account", user.bot.then(|| "no person".to_owned()));
    add(
        "address confirmed",
        (facts.instance.email_confirmation != EmailConfirmation::Off).then(|| user.confirmed.to_string()),
    );
    add("terms accepted", facts.instance.enforce_terms.then(|| user.terms_accepted.to_string()));
    add("locked", user.locked_at.map(|at| time(Some(at))));
    add("password expires", user.password_expires_at.map(|at| time(Some(at))));
    seen
}

/// What the user is to the project.
pub(super) fn level(facts: &AccessFacts) -> SeenFact {
    let level = facts.project.as_ref().map_or(AccessLevel::NO_ACCESS, |project| project.level);
    SeenFact::new("level", level.to_string())
}

fn visibility_level(facts: &AccessFacts) -> SeenFact {
    SeenFact::new("visibility", facts.project.as_ref().map_or_else(none, |project| project.visibility.to_string()))
}

fn deploy_key(facts: &AccessFacts) -> SeenFact {
    let word = match facts.project.as_ref().and_then(|project| project.deploy_key_can_push) {
        Some(true) => "may write",
        Some(false) => "may read",
        None => "not enabled",
    };
    SeenFact::new("deploy key here", word)
}

/// What the project says of one of its features.
fn project_feature(
    facts: &AccessFacts,
    name: &'static str,
    feature: impl FnOnce(&AccessProject) -> FeatureLevel,
) -> SeenFact {
    SeenFact::new(name, facts.project.as_ref().map_or_else(none, |project| feature(project).to_string()))
}

fn feature(facts: &AccessFacts, attempt: &Attempt) -> SeenFact {
    match repository_kind(facts, attempt) {
        RepositoryKind::Project => repository_feature(facts),
        RepositoryKind::Wiki => wiki_feature(facts),
        RepositoryKind::Snippet => project_feature(facts, "snippets feature", |project| project.snippets_level),
    }
}

fn repository_feature(facts: &AccessFacts) -> SeenFact {
    project_feature(facts, "repository feature", |project| project.repository_level)
}

fn wiki_feature(facts: &AccessFacts) -> SeenFact {
    project_feature(facts, "wiki feature", |project| project.wiki_level)
}

fn visibility(facts: &AccessFacts, attempt: &Attempt) -> Vec<SeenFact> {
    let mut seen = vec![actor(facts), visibility_level(facts), level(facts)];
    if matches!(facts.actor(), AccessActor::DeployKey(_)) {
        seen.push(deploy_key(facts));
    }
    let Some(project) = &facts.project else { return seen };
    if project.hidden {
        seen.push(SeenFact::flag("hidden", true));
    }
    if !project.root.ip_allowlist.is_empty() || project.root.ip_restricted {
        let nets: Vec<String> = project.root.ip_allowlist.iter().map(ToString::to_string).collect();
        let address = match attempt.client_ip {
            Some(ClientIp::Known(ip)) => ip.to_string(),
            Some(ClientIp::Garbage) => "none that can be read".to_owned(),
            None => "not told".to_owned(),
        };
        seen.push(SeenFact::new("address", address));
        seen.push(SeenFact::new("addresses let in", if nets.is_empty() { none() } else { nets.join(", ") }));
    }
    seen
}
