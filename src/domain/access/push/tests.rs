//! The rules of ref updates as values: the policy as a table, and each case of the contract.

use super::questions::project_questions;
use super::*;
use crate::domain::access::tests::{account, facts, project};
use crate::domain::access::{
    AccessKey, AccessTarget, ActorName, BranchCollaboration, GitCommand, PushChanges, UserState,
};
use crate::domain::ids::{KeyId, SnippetId};
use crate::domain::level::FeatureLevel;
use crate::domain::repository::GlRepository;

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";
const ZERO: &str = "0000000000000000000000000000000000000000";

fn changes(lines: &[(&str, &str, &str)]) -> Vec<RefUpdate> {
    let lines: Vec<String> = lines.iter().map(|(old, new, name)| format!("{old} {new} {name}")).collect();
    RefUpdate::parse_all(&lines.join("\n"))
}

fn role(level: AccessLevel) -> Vec<RefAdmission> {
    vec![RefAdmission::Role(level)]
}

/// One protected pattern: who may push, who may merge.
fn branch(pattern: &str, push: Vec<RefAdmission>, merge: Vec<RefAdmission>) -> BranchProtection {
    BranchProtection { pattern: RefPattern::new(pattern), allow_force_push: false, push, merge }
}

fn protecting(branches: Vec<BranchProtection>) -> PushFacts {
    PushFacts { branches, default_branch_name: "main".to_owned(), ..PushFacts::default() }
}

fn maintainers_push(pattern: &str) -> PushFacts {
    protecting(vec![branch(pattern, role(AccessLevel::MAINTAINER), role(AccessLevel::DEVELOPER))])
}

fn answers() -> PushAnswers {
    PushAnswers { default_branch: Some("main".to_owned()), ..PushAnswers::default() }
}

fn diverged() -> PushAnswers {
    let pair = (ObjectId::parse(OLD).unwrap(), ObjectId::parse(NEW).unwrap());
    PushAnswers { diverged: BTreeSet::from([pair]), ..answers() }
}

fn at(level: AccessLevel) -> AccessFacts {
    let mut facts = facts();
    project(&mut facts).level = level;
    facts
}

fn ssh(facts: &AccessFacts, push: &PushFacts, lines: &[(&str, &str, &str)], answers: &PushAnswers) -> Option<Denial> {
    project_denial(facts, &AccessProtocol::Ssh, push, &changes(lines), answers)
}

#[test]
fn who_may_change_which_ref() {
    let levels = [
        ("reporter", AccessLevel::REPORTER),
        ("developer", AccessLevel::DEVELOPER),
        ("maintainer", AccessLevel::MAINTAINER),
        ("owner", AccessLevel::OWNER),
    ];
    let kinds = [
        ("create", (ZERO, NEW), false),
        ("update", (OLD, NEW), false),
        ("force", (OLD, NEW), true),
        ("delete", (OLD, ZERO), false),
    ];
    let refs = [
        ("free branch", "refs/heads/free"),
        ("branch, maintainers push", "refs/heads/guarded"),
        ("branch, developers push", "refs/heads/team"),
        ("branch, nobody pushes", "refs/heads/frozen"),
        ("free tag", "refs/tags/free"),
        ("tag, maintainers create", "refs/tags/v1"),
        ("note", "refs/notes/commits"),
    ];
    let mut push = protecting(vec![
        branch("guarded", role(AccessLevel::MAINTAINER), role(AccessLevel::DEVELOPER)),
        branch("team", role(AccessLevel::DEVELOPER), role(AccessLevel::DEVELOPER)),
        branch("frozen", role(AccessLevel::NO_ACCESS), role(AccessLevel::NO_ACCESS)),
    ]);
    push.tags = vec![TagProtection { pattern: RefPattern::new("v*"), create: role(AccessLevel::MAINTAINER) }];
    let mut table = Vec::new();
    for (name, full) in refs {
        for (kind, (old, new), forced) in kinds {
            let answers = if forced { diverged() } else { answers() };
            let cells = levels.map(|(level_name, level)| {
                let refused = ssh(&at(level), &push, &[(old, new, full)], &answers);
                format!("{level_name} {}", if refused.is_some() { "-" } else { "yes" })
            });
            table.push(format!("{name:26} {kind:7} {}", cells.join("  ")));
        }
    }
    insta::assert_snapshot!(table.join("\n"), @r"
    free branch                create  reporter -  developer yes  maintainer yes  owner yes
    free branch                update  reporter -  developer yes  maintainer yes  owner yes
    free branch                force   reporter -  developer yes  maintainer yes  owner yes
    free branch                delete  reporter -  developer yes  maintainer yes  owner yes
    branch, maintainers push   create  reporter -  developer -  maintainer yes  owner yes
    branch, maintainers push   update  reporter -  developer -  maintainer yes  owner yes
    branch, maintainers push   force   reporter -  developer -  maintainer -  owner -
    branch, maintainers push   delete  reporter -  developer -  maintainer -  owner -
    branch, developers push    create  reporter -  developer yes  maintainer yes  owner yes
    branch, developers push    update  reporter -  developer yes  maintainer yes  owner yes
    branch, developers push    force   reporter -  developer -  maintainer -  owner -
    branch, developers push    delete  reporter -  developer -  maintainer -  owner -
    branch, nobody pushes      create  reporter -  developer -  maintainer -  owner -
    branch, nobody pushes      update  reporter -  developer -  maintainer -  owner -
    branch, nobody pushes      force   reporter -  developer -  maintainer -  owner -
    branch, nobody pushes      delete  reporter -  developer -  maintainer -  owner -
    free tag                   create  reporter -  developer yes  maintainer yes  owner yes
    free tag                   update  reporter -  developer yes  maintainer yes  owner yes
    free tag                   force   reporter -  developer yes  maintainer yes  owner yes
    free tag                   delete  reporter -  developer yes  maintainer yes  owner yes
    tag, maintainers create    create  reporter -  developer -  maintainer yes  owner yes
    tag, maintainers create    update  reporter -  developer -  maintainer -  owner -
    tag, maintainers create    force   reporter -  developer -  maintainer -  owner -
    tag, maintainers create    delete  reporter -  developer -  maintainer -  owner -
    note                       create  reporter -  developer yes  maintainer yes  owner yes
    note                       update  reporter -  developer yes  maintainer yes  owner yes
    note                       force   reporter -  developer yes  maintainer yes  owner yes
    note                       delete  reporter -  developer yes  maintainer yes  owner yes
    ");
}

/// allowed-55
#[test]
fn a_protected_branch_takes_pushes_of_maintainers_alone() {
    let push = maintainers_push("feature");
    let update = [(OLD, NEW, "refs/heads/feature")];
    let refused = Some(Denial::MayNotPushToProtectedBranch);
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &push, &update, &answers()), refused);
    assert_eq!(ssh(&at(AccessLevel::MAINTAINER), &push, &update, &answers()), None);
    let mut admin = at(AccessLevel::GUEST);
    account(&mut admin).admin = true;
    assert_eq!(ssh(&admin, &push, &update, &answers()), refused, "an administrator's role here is guest");
}

/// allowed-56, allowed-57, allowed-58, allowed-59
#[test]
fn patterns_rows_and_lines_are_taken_together() {
    let developer = at(AccessLevel::DEVELOPER);
    let feature = [(OLD, NEW, "refs/heads/feature")];
    let refused = Some(Denial::MayNotPushToProtectedBranch);
    assert_eq!(ssh(&developer, &maintainers_push("feat*"), &feature, &answers()), refused);

    let developers = protecting(vec![branch("feature", role(AccessLevel::DEVELOPER), Vec::new())]);
    assert_eq!(ssh(&developer, &developers, &feature, &answers()), None);

    let nobody = protecting(vec![branch("feature", role(AccessLevel::NO_ACCESS), Vec::new())]);
    assert_eq!(ssh(&at(AccessLevel::MAINTAINER), &nobody, &feature, &answers()), refused);

    let two = [(OLD, NEW, "refs/heads/master"), (OLD, NEW, "refs/heads/feature")];
    assert_eq!(ssh(&developer, &maintainers_push("feature"), &two, &answers()), refused);

    let union = protecting(vec![
        branch("feature", role(AccessLevel::NO_ACCESS), Vec::new()),
        branch("f*", role(AccessLevel::DEVELOPER), Vec::new()),
    ]);
    assert_eq!(ssh(&developer, &union, &feature, &answers()), None, "two rows on one branch are a union");
}

/// allowed-61, allowed-62
#[test]
fn the_default_branch_stays_and_others_may_go() {
    let nothing = protecting(Vec::new());
    let default = [(OLD, ZERO, "refs/heads/main")];
    let refused = Some(Denial::DefaultBranchDeleted);
    assert_eq!(ssh(&at(AccessLevel::MAINTAINER), &nothing, &default, &answers()), refused);
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &nothing, &[(OLD, ZERO, "refs/heads/x")], &answers()), None);
}

/// allowed-63, allowed-64
#[test]
fn a_forced_push_needs_a_protection_that_allows_it() {
    let mut push = maintainers_push("feature");
    let update = [(OLD, NEW, "refs/heads/feature")];
    let maintainer = at(AccessLevel::MAINTAINER);
    assert_eq!(ssh(&maintainer, &push, &update, &diverged()), Some(Denial::ForcePush));
    push.branches[0].allow_force_push = true;
    assert_eq!(ssh(&maintainer, &push, &update, &diverged()), None);
    let free = [(OLD, NEW, "refs/heads/free")];
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &push, &free, &diverged()), None);
}

/// allowed-65
#[test]
fn who_may_merge_alone_makes_protected_branches_on_the_web_from_protected_commits() {
    let push = protecting(vec![branch("release/*", role(AccessLevel::NO_ACCESS), role(AccessLevel::DEVELOPER))]);
    let developer = at(AccessLevel::DEVELOPER);
    let create = [(ZERO, NEW, "refs/heads/release/2")];
    assert_eq!(ssh(&developer, &push, &create, &answers()), Some(Denial::ProtectedBranchFromUnknownCommit));
    let new = ObjectId::parse(NEW).unwrap();
    let known = PushAnswers { containing: HashMap::from([(new, vec!["release/1".to_owned()])]), ..answers() };
    assert_eq!(ssh(&developer, &push, &create, &known), Some(Denial::CreateProtectedBranchOnWeb));
    assert_eq!(project_denial(&developer, &AccessProtocol::Web, &push, &changes(&create), &known), None);
    let neither = protecting(vec![branch("release/*", Vec::new(), Vec::new())]);
    assert_eq!(ssh(&developer, &neither, &create, &known), Some(Denial::MayNotCreateProtectedBranch));
}

/// allowed-67, allowed-68
#[test]
fn branches_and_tags_must_be_well_named() {
    let (nothing, developer) = (protecting(Vec::new()), at(AccessLevel::DEVELOPER));
    let create = |name: &str| ssh(&developer, &nothing, &[(ZERO, NEW, name)], &answers());
    let hex = "a".repeat(40);
    assert_eq!(create(&format!("refs/heads/{hex}")), Some(Denial::BranchLikeObjectId));
    assert_eq!(create(&format!("refs/heads/{hex}/x")), Some(Denial::BranchLikeObjectId));
    assert_eq!(create(&format!("refs/heads/fix-{hex}")), None);
    assert_eq!(create("refs/heads/-x"), Some(Denial::InvalidBranchName));
    assert_eq!(create("refs/heads/a..b"), Some(Denial::InvalidBranchName));
    assert_eq!(create(&format!("refs/tags/{hex}")), Some(Denial::TagLikeObjectId));
    assert_eq!(create("refs/tags/a..b"), Some(Denial::InvalidTagName));
    assert_eq!(create("refs/tags/main"), Some(Denial::TagNamedLikeDefaultBranch));
    assert_eq!(create("refs/tags/\u{fffd}"), Some(Denial::TagNotUtf8));
    let delete = [(OLD, ZERO, "refs/heads/a..b")];
    assert_eq!(ssh(&developer, &nothing, &delete, &answers()), None, "what is badly named may go");
}

/// allowed-69
#[test]
fn the_first_branch_of_an_empty_repository_is_protected_by_default() {
    let empty = PushAnswers { empty: true, ..PushAnswers::default() };
    let create = [(ZERO, NEW, "refs/heads/main")];
    let developer = at(AccessLevel::DEVELOPER);
    let with = |default_protection| PushFacts { default_protection, ..protecting(Vec::new()) };
    let refused = Denial::NoDefaultBranch { branch: "main".to_owned(), project: "g/s/p".to_owned() };
    assert_eq!(ssh(&developer, &with(DefaultProtection::FULL), &create, &empty), Some(refused.clone()));
    assert_eq!(ssh(&developer, &with(DefaultProtection::DEVELOPERS_MERGE), &create, &empty), Some(refused.clone()));
    assert_eq!(ssh(&developer, &with(DefaultProtection::DEVELOPERS_PUSH_FIRST), &create, &empty), None);
    assert_eq!(ssh(&developer, &with(DefaultProtection::NONE), &create, &empty), None);
    assert_eq!(ssh(&at(AccessLevel::MAINTAINER), &with(DefaultProtection::FULL), &create, &empty), None);
    assert_eq!(
        refused.sentence("https://git.example.com"),
        "\nA default branch (e.g. main) does not yet exist for g/s/p\n\
         Ask a project Owner or Maintainer to create a default branch:\n\n  \
         https://git.example.com/g/s/p/-/project_members\n\n"
    );
}

/// allowed-70, allowed-71
#[test]
fn tags_change_with_the_right_to_push_and_protected_ones_never() {
    let update = [(OLD, NEW, "refs/tags/v1")];
    let nothing = protecting(Vec::new());
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &nothing, &update, &answers()), None);
    assert_eq!(ssh(&at(AccessLevel::REPORTER), &nothing, &update, &answers()), Some(Denial::MayNotPush));

    let mut push = protecting(Vec::new());
    push.tags = vec![TagProtection { pattern: RefPattern::new("v*"), create: role(AccessLevel::MAINTAINER) }];
    let create = [(ZERO, NEW, "refs/tags/v1")];
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &push, &create, &answers()), Some(Denial::MayNotCreateProtectedTag));
    let maintainer = at(AccessLevel::MAINTAINER);
    assert_eq!(ssh(&maintainer, &push, &create, &answers()), None);
    assert_eq!(ssh(&maintainer, &push, &update, &answers()), Some(Denial::ProtectedTagUpdated));
    let delete = [(OLD, ZERO, "refs/tags/v1")];
    assert_eq!(ssh(&maintainer, &push, &delete, &answers()), Some(Denial::DeleteProtectedTagOnWeb));
    assert_eq!(project_denial(&maintainer, &AccessProtocol::Web, &push, &changes(&delete), &answers()), None);
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &push, &delete, &answers()), Some(Denial::MayNotDeleteProtectedTag));
}

/// allowed-79
#[test]
fn a_deploy_key_pushes_as_far_as_its_creator_still_may() {
    let deploy_key = |creator_level| {
        let mut facts = at(creator_level);
        facts.key = Some(AccessKey {
            id: KeyId(20),
            deploy: true,
            expires_at: None,
            created_at: None,
            strength: crate::domain::access::KeyStrength::NotLookedAt,
            last_used_at: None,
            otp_session_until: None,
        });
        project(&mut facts).deploy_key_can_push = Some(true);
        facts
    };
    let update = [(OLD, NEW, "refs/heads/x")];
    let nothing = protecting(Vec::new());
    assert_eq!(ssh(&deploy_key(AccessLevel::GUEST), &nothing, &update, &answers()), None);
    let stranger = deploy_key(AccessLevel::NO_ACCESS);
    assert_eq!(ssh(&stranger, &nothing, &update, &answers()), Some(Denial::MayNotPush));
    let mut blocked = deploy_key(AccessLevel::DEVELOPER);
    account(&mut blocked).state = UserState::Blocked;
    assert_eq!(ssh(&blocked, &nothing, &update, &answers()), Some(Denial::MayNotPush));

    let admitted = |row| protecting(vec![branch("x", vec![row], Vec::new())]);
    let facts = deploy_key(AccessLevel::REPORTER);
    let creator = RefAdmission::DeployKey(Some(UserId(5)));
    assert_eq!(ssh(&facts, &admitted(creator), &update, &answers()), None);
    let other = ssh(&facts, &admitted(RefAdmission::DeployKey(Some(UserId(6)))), &update, &answers());
    assert_eq!(other, Some(Denial::MayNotPushToProtectedBranch));
    let everything = protecting(vec![branch("*", role(AccessLevel::MAINTAINER), Vec::new())]);
    assert_eq!(
        ssh(&facts, &everything, &update, &answers()),
        Some(Denial::MayNotPush),
        "a bare star matches the full ref"
    );
}

#[test]
fn rows_admit_users_and_groups_by_name() {
    let developer = at(AccessLevel::DEVELOPER);
    let update = [(OLD, NEW, "refs/heads/x")];
    let with = |row| ssh(&developer, &protecting(vec![branch("x", vec![row], Vec::new())]), &update, &answers());
    assert_eq!(with(RefAdmission::User(UserId(5))), None);
    assert_eq!(with(RefAdmission::Group(true)), None);
    for row in [RefAdmission::User(UserId(6)), RefAdmission::Group(false), RefAdmission::Role(AccessLevel::ADMIN)] {
        assert_eq!(with(row), Some(Denial::MayNotPushToProtectedBranch), "{row:?}");
    }
}

#[test]
fn no_more_is_asked_than_the_rules_look_at() {
    let developer = at(AccessLevel::DEVELOPER);
    let ask = |push: &PushFacts, line| project_questions(&developer, push, &changes(&[line]));
    let free = protecting(Vec::new());
    assert!(ask(&free, (OLD, NEW, "refs/heads/free")).is_empty(), "a fast-forward of a free branch costs no call");
    assert!(ask(&free, (OLD, ZERO, "refs/tags/v1")).is_empty());
    assert_eq!(
        ask(&free, (OLD, ZERO, "refs/heads/x")),
        PushQuestions { default_branch: true, ..PushQuestions::default() }
    );
    assert_eq!(ask(&free, (ZERO, NEW, "refs/heads/x")), PushQuestions { empty: true, ..PushQuestions::default() });
    let guarded = maintainers_push("x");
    assert_eq!(ask(&guarded, (OLD, NEW, "refs/heads/x")).ancestry.len(), 1);
    assert_eq!(ask(&guarded, (ZERO, NEW, "refs/heads/x")).containing.len(), 1);
    let mut forcing = guarded;
    forcing.branches[0].allow_force_push = true;
    assert!(ask(&forcing, (OLD, NEW, "refs/heads/x")).is_empty());
}

#[test]
fn a_push_of_nothing_is_asked_like_any_push() {
    assert_eq!(ssh(&at(AccessLevel::REPORTER), &protecting(Vec::new()), &[], &answers()), Some(Denial::MayNotPush));
    assert_eq!(ssh(&at(AccessLevel::DEVELOPER), &protecting(Vec::new()), &[], &answers()), None);
}

/// R12, R13: where a merge is running, the right to merge is enough, and it is enough for nothing else.
#[test]
fn the_end_of_a_running_merge_needs_the_right_to_merge() {
    let guarded = |push: Vec<RefAdmission>, merge: Vec<RefAdmission>, commit: &str, into: &str| {
        let merges = vec![RunningMerge { commit: ObjectId::parse(commit).unwrap(), branch: into.to_owned() }];
        PushFacts { merges, ..protecting(vec![branch("main", push, merge)]) }
    };
    let nobody = || role(AccessLevel::NO_ACCESS);
    let developers = || role(AccessLevel::DEVELOPER);
    let update = [(OLD, NEW, "refs/heads/main")];
    let developer = at(AccessLevel::DEVELOPER);
    let merge = Some(Denial::MayNotMergeIntoProtectedBranch);
    let push = Some(Denial::MayNotPushToProtectedBranch);
    for (push_rows, merge_rows, commit, into, expected) in [
        (nobody(), developers(), NEW, "main", None),
        (developers(), nobody(), NEW, "main", None),
        (nobody(), nobody(), NEW, "main", merge),
        (nobody(), developers(), OLD, "main", push.clone()),
        (nobody(), developers(), NEW, "other", push.clone()),
        (nobody(), role(AccessLevel::MAINTAINER), OLD, "main", push.clone()),
    ] {
        let facts = guarded(push_rows, merge_rows, commit, into);
        assert_eq!(ssh(&developer, &facts, &update, &answers()), expected, "{commit} into {into}");
    }
    let running = guarded(nobody(), developers(), NEW, "main");
    let reporter = ssh(&at(AccessLevel::REPORTER), &running, &update, &answers());
    assert_eq!(reporter, Some(Denial::MayNotPush), "who may push nowhere merges nowhere");
    assert_eq!(ssh(&developer, &running, &update, &diverged()), Some(Denial::ForcePush), "a merge rewrites nothing");
    for line in [(ZERO, NEW, "refs/heads/main"), (OLD, ZERO, "refs/heads/main"), (OLD, NEW, "refs/tags/main")] {
        let without = PushFacts { merges: Vec::new(), ..running.clone() };
        let refused = ssh(&developer, &without, &[line], &answers());
        assert_eq!(ssh(&developer, &running, &[line], &answers()), refused, "{line:?} is no merge");
    }
    assert_eq!(
        Denial::MayNotMergeIntoProtectedBranch.to_string(),
        "You are not allowed to merge code into protected branches on this project."
    );
}

/// R14
#[test]
fn a_security_policy_leaves_protected_branches_to_merge_requests() {
    let maintainer = at(AccessLevel::MAINTAINER);
    let rule = |branches| PolicyRule { branches, exceptions: Vec::new() };
    let with = |policies: Vec<PolicyRule>| PushFacts { policies, ..maintainers_push("ma*") };
    let update = [(OLD, NEW, "refs/heads/main")];
    let blocked = Some(Denial::PolicyBlocksPush);
    let named = |name: &str| PolicyBranches::Named(vec![RefPattern::new(name)]);
    for (branches, expected) in [
        (PolicyBranches::Protected, blocked.clone()),
        (PolicyBranches::Default, blocked.clone()),
        (named("main"), blocked.clone()),
        (named("m*n"), blocked.clone()),
        (named("other"), None),
    ] {
        assert_eq!(
            ssh(&maintainer, &with(vec![rule(branches.clone())]), &update, &answers()),
            expected,
            "{branches:?}"
        );
    }
    let all = with(vec![rule(PolicyBranches::Protected)]);
    let free = [(OLD, NEW, "refs/heads/free")];
    assert_eq!(ssh(&maintainer, &all, &free, &answers()), None, "it is about protected branches alone");
    let delete = [(OLD, ZERO, "refs/heads/ma-1")];
    assert_eq!(project_denial(&maintainer, &AccessProtocol::Web, &all, &changes(&delete), &answers()), blocked);
    let excepted = PolicyRule { branches: named("x"), exceptions: vec![RefPattern::new("main")] };
    let one_excepts = with(vec![rule(PolicyBranches::Protected), excepted]);
    assert_eq!(ssh(&maintainer, &one_excepts, &update, &answers()), None);

    let mut forcing = all.clone();
    forcing.branches[0].allow_force_push = true;
    assert_eq!(ssh(&maintainer, &forcing, &update, &diverged()), Some(Denial::PolicyBlocksForcePush));
    let asked = project_questions(&maintainer, &forcing, &changes(&update));
    assert_eq!(asked.ancestry.len(), 1, "whether it is forced must be known");
    assert!(
        project_questions(&maintainer, &with(vec![rule(PolicyBranches::Default)]), &changes(&update)).default_branch
    );

    let merges = vec![RunningMerge { commit: ObjectId::parse(NEW).unwrap(), branch: "main".to_owned() }];
    assert_eq!(ssh(&maintainer, &PushFacts { merges, ..all.clone() }, &update, &answers()), None);
    // A branch that no rule names comes to be by a push; one whose very name is protected does not.
    assert_eq!(ssh(&maintainer, &all, &[(ZERO, NEW, "refs/heads/ma-new")], &answers()), None);
    let exact = PushFacts { policies: all.policies.clone(), ..maintainers_push("main") };
    assert_eq!(ssh(&maintainer, &exact, &[(ZERO, NEW, "refs/heads/main")], &answers()), blocked);
    let empty = PushAnswers { empty: true, ..PushAnswers::default() };
    assert_eq!(ssh(&maintainer, &exact, &[(ZERO, NEW, "refs/heads/main")], &empty), None);
    // What the protection itself refuses is refused in its own words.
    let refused = ssh(&at(AccessLevel::DEVELOPER), &all, &update, &answers());
    assert_eq!(refused, Some(Denial::MayNotPushToProtectedBranch));
}

/// R1: a stranger who may merge the merge request of a branch may push to that branch, and to nothing else.
#[test]
fn a_collaborator_pushes_to_the_branch_of_a_merge_request_and_nowhere_else() {
    let target = ProjectId(9);
    let collaborator = |level| {
        let mut facts = at(AccessLevel::NO_ACCESS);
        project(&mut facts).visibility = crate::domain::level::VisibilityLevel::Public;
        let (branch, target_branch) = ("topic".to_owned(), "main".to_owned());
        project(&mut facts).collaborations = vec![BranchCollaboration { branch, target, target_branch, level }];
        facts
    };
    let developer = collaborator(AccessLevel::DEVELOPER);
    let open =
        |facts: &AccessFacts, target_facts: PushFacts| collaborations(facts, &BTreeMap::from([(target, target_facts)]));
    let topic = BTreeSet::from(["topic".to_owned()]);
    assert_eq!(open(&developer, protecting(Vec::new())), topic);
    assert_eq!(open(&developer, maintainers_push("main")), topic, "developers may merge there");
    let maintainers = protecting(vec![branch("main", role(AccessLevel::MAINTAINER), role(AccessLevel::MAINTAINER))]);
    assert_eq!(open(&developer, maintainers.clone()), BTreeSet::new(), "who may not merge it may not push");
    assert_eq!(open(&collaborator(AccessLevel::MAINTAINER), maintainers), topic);
    assert_eq!(collaborations(&developer, &BTreeMap::new()), BTreeSet::new(), "what is unknown opens nothing");

    let push = PushFacts { collaborations: topic, ..protecting(Vec::new()) };
    let one = |line| ssh(&developer, &push, &[line], &answers());
    assert_eq!(one((OLD, NEW, "refs/heads/topic")), None);
    assert_eq!(ssh(&developer, &push, &[(OLD, NEW, "refs/heads/topic")], &diverged()), None);
    assert_eq!(one((ZERO, NEW, "refs/heads/topic")), None, "the branch may come back");
    for line in [
        (OLD, NEW, "refs/heads/main"),
        (OLD, NEW, "refs/heads/topic/x"),
        (ZERO, NEW, "refs/tags/topic"),
        (OLD, NEW, "refs/notes/topic"),
    ] {
        assert_eq!(one(line), Some(Denial::MayNotPush), "{line:?}");
    }
    let two = [(OLD, NEW, "refs/heads/topic"), (OLD, NEW, "refs/heads/main")];
    assert_eq!(ssh(&developer, &push, &two, &answers()), Some(Denial::MayNotPush));
    let empty = PushAnswers { empty: true, ..PushAnswers::default() };
    assert_eq!(ssh(&developer, &push, &[(ZERO, NEW, "refs/heads/topic")], &empty), Some(Denial::MayNotPush));
    let guarded = PushFacts { branches: maintainers_push("topic").branches, ..push };
    let refused = ssh(&developer, &guarded, &[(OLD, NEW, "refs/heads/topic")], &answers());
    assert_eq!(refused, Some(Denial::MayNotPushToProtectedBranch), "a protected branch is its own project's");

    // What ends pushes for everybody ends them for collaborators.
    let targets = BTreeMap::from([(target, protecting(Vec::new()))]);
    for end in [
        |facts: &mut AccessFacts| project(facts).repository_level = FeatureLevel::Disabled,
        |facts: &mut AccessFacts| project(facts).repository_level = FeatureLevel::Private,
        |facts: &mut AccessFacts| project(facts).pending_deletion = true,
        |facts: &mut AccessFacts| project(facts).archived = true,
        |facts: &mut AccessFacts| facts.user = None,
        |facts: &mut AccessFacts| facts.key.as_mut().unwrap().deploy = true,
    ] {
        let mut facts = developer.clone();
        end(&mut facts);
        assert_eq!(collaborations(&facts, &targets), BTreeSet::new());
    }
    let mut guest = developer.clone();
    project(&mut guest).repository_level = FeatureLevel::Private;
    project(&mut guest).level = AccessLevel::GUEST;
    assert_eq!(collaborations(&guest, &targets).len(), 1, "code for members is open to guests");
    assert_eq!(
        collaboration_targets(&developer, &changes(&[(OLD, NEW, "refs/heads/topic")])),
        BTreeSet::from([target])
    );
    assert_eq!(collaboration_targets(&developer, &changes(&[(OLD, NEW, "refs/heads/main")])), BTreeSet::new());
}

/// Branches of snippets come and go with the snippet; only the very first one is pushed.
#[test]
fn a_snippet_gains_its_first_branch_and_no_other() {
    let attempt = |protocol| Attempt {
        command: GitCommand::Push,
        protocol,
        actor: ActorName::Nobody,
        target: AccessTarget::Repository(GlRepository::Snippet(SnippetId(9))),
        changes: PushChanges::Any,
        client_ip: None,
        certified_by: None,
    };
    let said = |lines: &[(&str, &str, &str)], empty| {
        let answers = PushAnswers { empty, ..PushAnswers::default() };
        let asked = questions(&facts(), &PushedRepository::Snippet, &changes(lines)).empty;
        let ssh = attempt(AccessProtocol::Ssh);
        let decision = decide(&facts(), &ssh, &PushedRepository::Snippet, &changes(lines), &answers);
        (asked, decision == Decision::Allow)
    };
    let first = (ZERO, NEW, "refs/heads/main");
    assert_eq!(said(&[first], true), (true, true));
    assert_eq!(said(&[first], false), (true, false));
    assert_eq!(said(&[first, (ZERO, NEW, "refs/heads/other")], true), (true, false));
    assert_eq!(said(&[first, (OLD, NEW, "refs/heads/other")], true), (true, false));
    assert_eq!(said(&[first, (ZERO, NEW, "refs/tags/v1")], true), (true, true));
    assert_eq!(said(&[(OLD, NEW, "refs/heads/main"), (OLD, NEW, "refs/heads/x")], false), (false, true));
    assert_eq!(said(&[(OLD, ZERO, "refs/heads/main")], false), (false, false));
    assert_eq!(said(&[(OLD, ZERO, "refs/heads/main"), first], true), (false, false));
    assert_eq!(said(&[(ZERO, NEW, "refs/tags/v1"), (OLD, ZERO, "refs/tags/v2")], false), (false, true));
    let refused = decide(
        &facts(),
        &attempt(AccessProtocol::Ssh),
        &PushedRepository::Snippet,
        &changes(&[(OLD, ZERO, "refs/heads/main")]),
        &answers(),
    );
    assert_eq!(refused, Decision::Deny(Denial::SnippetBranch));
}

#[test]
fn each_kind_of_repository_has_its_own_rules() {
    let attempt = |protocol| Attempt {
        command: GitCommand::Push,
        protocol,
        actor: ActorName::Nobody,
        target: AccessTarget::Repository(GlRepository::Project(ProjectId(7))),
        changes: PushChanges::Any,
        client_ip: None,
        certified_by: None,
    };
    let update = changes(&[(OLD, ZERO, "refs/heads/feature")]);
    let maintainer = at(AccessLevel::MAINTAINER);
    let project = PushedRepository::Project(Box::new(maintainers_push("feature")));
    let decided = |protocol, repository: &PushedRepository| {
        decide(&maintainer, &attempt(protocol), repository, &update, &answers())
    };
    let over_ssh = decided(AccessProtocol::Ssh, &project);
    assert_eq!(over_ssh, Decision::Deny(Denial::DeleteProtectedBranchOnWeb));
    assert_eq!(decided(AccessProtocol::Web, &project), Decision::Allow);
    assert!(questions(&maintainer, &project, &update).default_branch);
    assert_eq!(decided(AccessProtocol::Ssh, &PushedRepository::Other), Decision::Allow);
    assert!(questions(&maintainer, &PushedRepository::Other, &update).is_empty());
}

#[test]
fn what_is_refused_whatever_the_repository_answers_is_not_asked() {
    let create = changes(&[(ZERO, NEW, "refs/heads/x")]);
    let asks = |facts: &AccessFacts, push: &PushFacts| !project_questions(facts, push, &create).is_empty();
    let free = protecting(Vec::new());
    assert!(asks(&at(AccessLevel::DEVELOPER), &free));
    assert!(!asks(&at(AccessLevel::REPORTER), &free), "who may not push");
    let size = content::SizeLimit { limit: 1, repository: Some(2), lfs: 0 };
    let full = PushFacts {
        content: content::ContentRules { size: Some(size), ..content::ContentRules::default() },
        ..free.clone()
    };
    assert!(!asks(&at(AccessLevel::DEVELOPER), &full), "where nothing fits");
    let nowhere = AccessFacts { project: None, ..at(AccessLevel::DEVELOPER) };
    assert!(!asks(&nowhere, &free));
    let refused = project_denial(&nowhere, &AccessProtocol::Ssh, &free, &create, &answers());
    assert_eq!(refused, Some(Denial::NoSuchProject));
}
