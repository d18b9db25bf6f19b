//! What explains is what decides: the same rules, of which the first denial is the decision.

use proptest::prelude::*;

use super::*;
use crate::domain::access::content::{PushRule, PushedCommit, SizeLimit};
use crate::domain::access::push::{
    self, BranchProtection, PolicyBranches, PolicyRule, PushAnswers, PushFacts, PushedRepository, RefAdmission,
    RunningMerge, TagProtection,
};
use crate::domain::access::refs::{ObjectId, RefPattern, RefUpdate};

type Change = fn(&mut AccessFacts, &mut Attempt);

/// Each of these makes another rule look twice.
const CHANGES: &[Change] = &[
    |facts, _| facts.instance.maintenance_mode = true,
    |facts, _| {
        settings(facts).otp_login = Some("git@x".to_owned());
        if let Some(user) = &mut facts.user {
            user.two_factor = true;
        }
    },
    |facts, _| facts.instance.git_protocol = Some("http".to_owned()),
    |facts, _| facts.instance.key_limits = vec![(KeyKind::Rsa, KeyLimit::AtLeast(4096))],
    |facts, _| facts.instance.longest_key_life = Some(TimeDelta::days(7)),
    |facts, _| facts.key.iter_mut().for_each(|key| key.expires_at = Some(now())),
    |facts, _| facts.user.iter_mut().for_each(|user| user.state = UserState::Banned),
    |facts, _| facts.user.iter_mut().for_each(|user| user.external = true),
    |facts, _| facts.user.iter_mut().for_each(|user| user.admin = true),
    |facts, _| settings(facts).read_only = true,
    |facts, _| settings(facts).http_download = false,
    |facts, _| settings(facts).http_push = false,
    |_, attempt| attempt.command = GitCommand::Unknown,
    |_, attempt| attempt.protocol = AccessProtocol::Http,
    |_, attempt| attempt.protocol = AccessProtocol::Web,
    |_, attempt| attempt.certified_by = Some("other".to_owned()),
    |_, attempt| attempt.client_ip = Some(ClientIp::Garbage),
    |facts, _| facts.project.iter_mut().for_each(|project| project.root.ip_restricted = true),
    |facts, _| facts.project.iter_mut().for_each(|project| project.level = AccessLevel::NO_ACCESS),
    |facts, _| facts.project.iter_mut().for_each(|project| project.level = AccessLevel::GUEST),
    |facts, _| facts.project.iter_mut().for_each(|project| project.visibility = VisibilityLevel::Public),
    |facts, _| facts.project.iter_mut().for_each(|project| project.repository_level = FeatureLevel::Disabled),
    |facts, _| facts.project.iter_mut().for_each(|project| project.wiki_level = FeatureLevel::Disabled),
    |facts, _| facts.project.iter_mut().for_each(|project| project.repository_read_only = true),
    |facts, _| facts.project.iter_mut().for_each(|project| project.archived = true),
    |facts, _| facts.project.iter_mut().for_each(|project| project.pending_deletion = true),
    |facts, _| facts.container.iter_mut().for_each(|container| container.exists = false),
    |facts, _| facts.container = None,
    |facts, _| (facts.project, facts.container) = (None, None),
    |_, attempt| attempt.target = AccessTarget::Path(RepositoryPath::new("alone.git")),
    |_, attempt| attempt.target = AccessTarget::Repository(GlRepository::Project(ProjectId(7))),
];

/// Who acts, and upon what.
const GROUNDS: &[Change] = &[
    as_it_is,
    |facts, _| facts.key = None,
    |facts, _| acts("deploy key, reading", facts),
    |facts, _| acts("deploy key, writing", facts),
    |facts, _| acts("nobody", facts),
    |facts, _| of_snippet(facts),
    |facts, _| {
        of_snippet(facts);
        acts("nobody", facts);
    },
    |facts, _| facts.container = Some(container(GlRepository::Wiki(ProjectId(7)))),
    |facts, _| facts.container = Some(container(GlRepository::Design(7))),
    |facts, attempt| {
        facts.container = None;
        attempt.target = AccessTarget::Repository(GlRepository::Snippet(SnippetId(3)));
    },
];

/// Both name the same rule; where one sentence answers for several, the list is more exact than the denial.
fn assert_named(verdict: &RuleVerdict, denial: &Denial) {
    let same = match denial {
        Denial::NoSuchSnippet => ["C2", "D9b"].contains(&verdict.rule),
        Denial::MayNotPush => ["P5", "R1"].contains(&verdict.rule),
        denial => denial.rule() == verdict.rule,
    };
    assert!(same, "{verdict:?}");
}

fn assert_explained(decision: &Decision, verdicts: &[RuleVerdict]) {
    let first = verdicts.iter().find(|verdict| verdict.verdict != Verdict::Passed);
    match (decision, first) {
        (Decision::Allow, None) => {}
        (Decision::Deny(denial), Some(RuleVerdict { verdict: Verdict::Denied(told), .. })) => {
            assert_eq!(denial, told);
            assert_named(first.unwrap(), denial);
            let after = verdicts.iter().skip_while(|verdict| verdict.verdict == Verdict::Passed).skip(1);
            assert!(after.into_iter().all(|verdict| verdict.verdict == Verdict::NotReached), "{verdicts:?}");
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn the_first_denial_is_the_decision(
        ground in prop::sample::select(GROUNDS),
        changes in prop::collection::vec(prop::sample::select(CHANGES), 0..4),
        command in prop::sample::select(vec![GitCommand::Download, GitCommand::Push]),
        lines in any::<bool>(),
    ) {
        let (mut facts, mut attempt) = (facts(), attempt(command));
        if lines && command == GitCommand::Push {
            attempt.changes = PushChanges::Lines(String::new());
        }
        ground(&mut facts, &mut attempt);
        for change in changes {
            change(&mut facts, &mut attempt);
        }
        assert_explained(&decide(&facts, &attempt), &explain(&facts, &attempt));
    }

    #[test]
    fn the_first_denial_of_the_refs_is_the_decision(
        level in prop::sample::select(vec![0, 10, 20, 30, 40, 50]),
        ground in prop::sample::select(&GROUNDS[..4]),
        web in any::<bool>(),
        snippet in any::<bool>(),
        shape in any::<u16>(),
        updates in prop::collection::vec((0..6_usize, 0..4_usize), 0..3),
    ) {
        let (mut facts, mut attempt) = (facts(), attempt(GitCommand::Push));
        project(&mut facts).level = AccessLevel(level);
        ground(&mut facts, &mut attempt);
        if web {
            attempt.protocol = AccessProtocol::Web;
        }
        let updates = updates_of(&updates);
        let (push, answers) = pushed(shape, &updates);
        let repository =
            if snippet { PushedRepository::Snippet } else { PushedRepository::Project(Box::new(push)) };
        assert_explained(
            &push::decide(&facts, &attempt, &repository, &updates, &answers),
            &push::explain(&facts, &attempt, &repository, &updates, &answers),
        );
    }
}

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn updates_of(picks: &[(usize, usize)]) -> Vec<RefUpdate> {
    let names =
        ["refs/heads/main", "refs/heads/free", "refs/heads/guarded", "refs/tags/v1", "refs/tags/free", "refs/notes/x"];
    let kinds = [(ZERO, NEW), (OLD, NEW), (OLD, ZERO), (ZERO, NEW)];
    let lines = picks.iter().map(|(name, kind)| format!("{} {} {}", kinds[*kind].0, kinds[*kind].1, names[*name]));
    RefUpdate::parse_all(&lines.collect::<Vec<_>>().join("\n"))
}

/// What the project says and what its repository answers, a bit for each rule that they may set.
fn pushed(shape: u16, updates: &[RefUpdate]) -> (PushFacts, PushAnswers) {
    let bit = |place: u16| shape & (1 << place) != 0;
    let role = |level| vec![RefAdmission::Role(level)];
    let (old, new) = (ObjectId::parse(OLD).unwrap(), ObjectId::parse(NEW).unwrap());
    let mut push = PushFacts { default_branch_name: "main".to_owned(), ..PushFacts::default() };
    if bit(0) {
        let (push_level, merge_level) = if bit(1) {
            (AccessLevel::MAINTAINER, AccessLevel::DEVELOPER)
        } else {
            (AccessLevel::NO_ACCESS, AccessLevel::MAINTAINER)
        };
        push.branches.push(BranchProtection {
            pattern: RefPattern::new("guarded"),
            allow_force_push: bit(2),
            push: role(push_level),
            merge: role(merge_level),
        });
    }
    if bit(3) {
        push.tags.push(TagProtection { pattern: RefPattern::new("v*"), create: role(AccessLevel::MAINTAINER) });
    }
    if bit(4) {
        push.merges.push(RunningMerge { commit: new.clone(), branch: "guarded".to_owned() });
    }
    if bit(5) {
        push.policies.push(PolicyRule { branches: PolicyBranches::Protected, exceptions: Vec::new() });
    }
    push.default_protection.protects = bit(6);
    push.content.lfs = bit(7);
    push.content.size = bit(8).then_some(SizeLimit { limit: 10, repository: Some(5), lfs: 0 });
    push.content.push_rule = bit(9).then(|| PushRule {
        branch_name: bit(10).then(|| "^[0-9]+$".to_owned()),
        commit_message: bit(11).then(|| "^JIRA".to_owned()),
        reject_non_dco: bit(12),
        deny_delete_tag: true,
        max_file_size: 1,
        ..PushRule::default()
    });
    let mut answers = PushAnswers { empty: bit(13), ..PushAnswers::default() };
    answers.default_branch = (!answers.empty).then(|| "main".to_owned());
    if bit(14) {
        answers.diverged.insert((old, new.clone()));
    }
    answers.content.lfs_objects_missing = bit(15);
    answers.content.size = if bit(15) { 20 } else { 1 };
    if !updates.is_empty() && bit(12) {
        answers.content.commits.insert(new, PushedCommit::default());
        answers.content.large_files = vec!["big".to_owned()];
    }
    (push, answers)
}

#[test]
fn a_refusal_is_explained_by_rules_in_order_and_by_what_they_saw() {
    let (mut facts, attempt) = (facts(), attempt(GitCommand::Push));
    project(&mut facts).level = AccessLevel::REPORTER;
    let verdicts = explain(&facts, &attempt);
    let rules: Vec<&str> = verdicts.iter().map(|verdict| verdict.rule).collect();
    let order = "C2 B1 B4 D1 D2a D2b D2a D2c D3 D3b D4 D5 D6 D7b D8 D8b D9b D10 D12 D9b P1 P2 P3 P4 P5";
    assert_eq!(rules.join(" "), order);
    let refused = verdicts.last().unwrap();
    assert_eq!(refused.verdict, Verdict::Denied(Denial::MayNotPush));
    let seen: Vec<String> = refused.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value)).collect();
    insta::assert_snapshot!(seen.join("\n"), @r"
    actor: rubi
    level: reporter
    repository feature: for all who see the project
    waits for its deletion: no
    branches open to collaborators: none
    ");
}
