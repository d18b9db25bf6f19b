//! The rules of one ref update in the order of the contract: the one list that decides and that explains.

use super::rights::RefRights;
use super::{BranchProtection, PolicyBranches, PolicyRule, PushAnswers, PushFacts, RunningMerge, TagProtection};
use crate::domain::access::refs::{RefName, RefPattern, RefUpdate, is_valid_name, looks_like_object_id};
use crate::domain::access::rules::{SeenFact, actor, level};
use crate::domain::access::{AccessActor, AccessFacts, AccessProject, AccessProtocol, Denial};
use crate::domain::level::AccessLevel;

/// One ref update, and what its rules look at.
pub(super) struct RefCase<'a> {
    facts: &'a AccessFacts,
    project: &'a AccessProject,
    push: &'a PushFacts,
    answers: &'a PushAnswers,
    rights: &'a RefRights<'a>,
    update: &'a RefUpdate,
    /// Without `refs/heads/` or `refs/tags/`.
    name: &'a str,
    /// The protections of branches that the branch matches.
    branches: Vec<&'a BranchProtection>,
    /// The protections of tags that the tag matches.
    tags: Vec<&'a TagProtection>,
    /// The first branch of an empty repository.
    first: bool,
    /// The old object is not behind the new one.
    forced: bool,
    /// Whether the change is made on the web.
    web: bool,
}

/// A reason for which a ref update may be refused.
pub(super) struct RefRule {
    /// Its id in the contract.
    pub(super) id: &'static str,
    /// What it asks, for people.
    pub(super) asks: &'static str,
    /// Why it refuses the update; none where it lets it pass.
    pub(super) judge: fn(&RefCase<'_>) -> Option<Denial>,
    /// What it looks at.
    pub(super) sees: fn(&RefCase<'_>) -> Vec<SeenFact>,
}

/// The rules that this update is held against, in order.
pub(super) fn rules_of(case: &RefCase<'_>) -> impl Iterator<Item = &'static RefRule> {
    let of_kind = match case.update.name {
        RefName::Branch(_) => BRANCH,
        RefName::Tag(_) => TAG,
        RefName::Other(_) => &[],
    };
    EVERY.iter().chain(of_kind)
}

const EVERY: &[RefRule] = &[RefRule {
    id: "R1",
    asks: "the actor may push to the ref",
    judge: may_not_push,
    sees: |case| vec![actor(case.facts), level(case.facts)],
}];

const BRANCH: &[RefRule] = &[
    RefRule {
        id: "R2",
        asks: "the default branch stays",
        judge: default_branch_deleted,
        sees: |case| vec![change(case), default_branch(case)],
    },
    RefRule {
        id: "R3",
        asks: "the branch is not named like an object",
        judge: branch_like_object_id,
        sees: |case| vec![name(case)],
    },
    RefRule {
        id: "R4",
        asks: "git takes the branch's name",
        judge: invalid_branch_name,
        sees: |case| vec![name(case)],
    },
    RefRule {
        id: "R5",
        asks: "the history of a protected branch is kept, unless it may be force-pushed",
        judge: forced_push,
        sees: |case| vec![protections(case), SeenFact::flag("rewrites history", case.forced)],
    },
    RefRule {
        id: "R6",
        asks: "the first branch of an empty repository is made by who may",
        judge: no_default_branch,
        sees: |case| vec![SeenFact::flag("first branch", case.first), level(case.facts)],
    },
    RefRule {
        id: "R7",
        asks: "a protected branch is created by who may push or merge there",
        judge: protected_creation,
        sees: |case| vec![change(case), protections(case), rights(case)],
    },
    RefRule {
        id: "R8",
        asks: "who may only merge there creates a protected branch from a commit of one",
        judge: unknown_commit,
        sees: |case| vec![change(case), protections(case), rights(case)],
    },
    RefRule {
        id: "R9",
        asks: "who may only merge there creates a protected branch on the web",
        judge: creation_off_the_web,
        sees: |case| vec![change(case), SeenFact::flag("on the web", case.web)],
    },
    RefRule {
        id: "R10",
        asks: "a protected branch is deleted by maintainers",
        judge: protected_deletion,
        sees: |case| vec![change(case), protections(case), level(case.facts)],
    },
    RefRule {
        id: "R11",
        asks: "a protected branch is deleted on the web",
        judge: deletion_off_the_web,
        sees: |case| vec![change(case), SeenFact::flag("on the web", case.web)],
    },
    RefRule {
        id: "R12",
        asks: "a merge into a protected branch is made by who may merge there",
        judge: protected_merge,
        sees: |case| vec![SeenFact::flag("ends a merge", case.is_merge()), protections(case), rights(case)],
    },
    RefRule {
        id: "R13",
        asks: "a protected branch is pushed to by who may push there",
        judge: protected_push,
        sees: |case| vec![protections(case), rights(case)],
    },
    RefRule {
        id: "R14",
        asks: "no security policy keeps the branch from being pushed to",
        judge: policy,
        sees: |case| vec![SeenFact::flag("under a policy", case.is_under_policy())],
    },
];

const TAG: &[RefRule] = &[
    RefRule {
        id: "T1",
        asks: "a tag is changed or deleted by who may push code",
        judge: changed_tag,
        sees: |case| vec![change(case), level(case.facts)],
    },
    RefRule {
        id: "T2",
        asks: "the tag is not named like the default branch",
        judge: tag_like_default_branch,
        sees: |case| vec![name(case), default_branch(case)],
    },
    RefRule { id: "T3", asks: "the tag's name is UTF-8", judge: tag_not_utf8, sees: |case| vec![name(case)] },
    RefRule { id: "T4", asks: "git takes the tag's name", judge: invalid_tag_name, sees: |case| vec![name(case)] },
    RefRule {
        id: "T5",
        asks: "the tag is not named like an object",
        judge: tag_like_object_id,
        sees: |case| vec![name(case)],
    },
    RefRule {
        id: "T6",
        asks: "a protected tag is not moved",
        judge: protected_tag_update,
        sees: |case| vec![change(case), protections(case)],
    },
    RefRule {
        id: "T7",
        asks: "a protected tag is deleted by maintainers",
        judge: protected_tag_deletion,
        sees: |case| vec![change(case), protections(case), level(case.facts)],
    },
    RefRule {
        id: "T8",
        asks: "a protected tag is deleted on the web",
        judge: tag_deletion_off_the_web,
        sees: |case| vec![change(case), SeenFact::flag("on the web", case.web)],
    },
    RefRule {
        id: "T9",
        asks: "a protected tag is created by who may",
        judge: protected_tag_creation,
        sees: |case| vec![change(case), protections(case), level(case.facts)],
    },
];

impl<'a> RefCase<'a> {
    pub(super) fn new(
        facts: &'a AccessFacts,
        project: &'a AccessProject,
        protocol: &AccessProtocol,
        push: &'a PushFacts,
        answers: &'a PushAnswers,
        rights: &'a RefRights<'a>,
        update: &'a RefUpdate,
    ) -> Self {
        let (branches, tags) = match &update.name {
            RefName::Branch(name) => (push.protecting(name), Vec::new()),
            RefName::Tag(name) => (Vec::new(), push.tags.iter().filter(|tag| tag.pattern.matches(name)).collect()),
            RefName::Other(_) => (Vec::new(), Vec::new()),
        };
        let pair = update.moved().map(|(old, new)| (old.clone(), new.clone()));
        Self {
            facts,
            project,
            push,
            answers,
            rights,
            update,
            name: update.name.short(),
            branches,
            tags,
            first: answers.empty && update.is_creation(),
            forced: pair.is_some_and(|pair| answers.diverged.contains(&pair)),
            web: *protocol == AccessProtocol::Web,
        }
    }

    /// Whether something protects the branch, the default protection of an empty repository among them.
    fn is_protected(&self) -> bool {
        !self.branches.is_empty() || (self.first && self.push.default_protection.protects)
    }

    /// Whether a protected branch is created that is not the first one, by somebody who may not push there.
    fn is_created_without_push(&self) -> bool {
        self.is_protected() && !self.first && self.update.is_creation() && !self.rights.push(&self.branches)
    }

    fn is_deleted_while_protected(&self) -> bool {
        self.is_protected() && self.update.is_deletion()
    }

    /// Whether a protected branch is changed by somebody who may not push there.
    fn is_updated_without_push(&self) -> bool {
        let changed = !self.update.is_creation() && !self.update.is_deletion();
        self.is_protected() && changed && !self.rights.push(&self.branches)
    }

    /// Whether the change is the end of a merge that is running.
    fn is_merge(&self) -> bool {
        let ends = |merge: &RunningMerge| self.update.new.as_ref() == Some(&merge.commit) && merge.branch == self.name;
        self.push.merges.iter().any(ends)
    }

    /// Policies are about protected branches that exist, or whose very name is protected; in an empty repository they
    /// are about none.
    fn is_under_policy(&self) -> bool {
        let named = self.branches.iter().any(|protection| protection.pattern == RefPattern::new(self.name));
        if self.branches.is_empty() || (self.update.is_creation() && (self.answers.empty || !named)) {
            return false;
        }
        let excepted = |rule: &PolicyRule| rule.exceptions.iter().any(|pattern| pattern.matches(self.name));
        let about = |rule: &PolicyRule| match &rule.branches {
            PolicyBranches::Protected => true,
            PolicyBranches::Default => self.is_default_branch(),
            PolicyBranches::Named(patterns) => patterns.iter().any(|pattern| pattern.matches(self.name)),
        };
        let policies = &self.push.policies;
        policies.iter().any(about) && !policies.iter().any(excepted)
    }

    fn is_default_branch(&self) -> bool {
        self.answers.default_branch.as_deref() == Some(self.name)
    }
}

/// R1; nobody collaborates on an empty repository
fn may_not_push(case: &RefCase<'_>) -> Option<Denial> {
    let collaborator = matches!(case.facts.actor(), AccessActor::User(_)) && !case.rights.push_code;
    let may = case.rights.may_push(case.project, case.push, Some(&case.update.name)) && !(collaborator && case.first);
    (!may).then_some(Denial::MayNotPush)
}

/// R2
fn default_branch_deleted(case: &RefCase<'_>) -> Option<Denial> {
    (case.update.is_deletion() && case.is_default_branch()).then_some(Denial::DefaultBranchDeleted)
}

/// R3
fn branch_like_object_id(case: &RefCase<'_>) -> Option<Denial> {
    (!case.update.is_deletion() && looks_like_object_id(case.name)).then_some(Denial::BranchLikeObjectId)
}

/// R4
fn invalid_branch_name(case: &RefCase<'_>) -> Option<Denial> {
    (!case.update.is_deletion() && !is_valid_name(case.name)).then_some(Denial::InvalidBranchName)
}

/// R5
fn forced_push(case: &RefCase<'_>) -> Option<Denial> {
    let may_force = case.branches.iter().any(|protection| protection.allow_force_push);
    (case.is_protected() && case.forced && !may_force).then_some(Denial::ForcePush)
}

/// R6, in place of the rules of protected branches that are there (3.3.3)
fn no_default_branch(case: &RefCase<'_>) -> Option<Denial> {
    let developers = case.push.default_protection.lets_developers_begin();
    let least = if developers { AccessLevel::DEVELOPER } else { AccessLevel::MAINTAINER };
    (case.is_protected() && case.first && !case.rights.has(least)).then(|| Denial::NoDefaultBranch {
        branch: case.push.default_branch_name.clone(),
        project: case.project.full_path.clone(),
    })
}

/// R7
fn protected_creation(case: &RefCase<'_>) -> Option<Denial> {
    let refused = case.is_created_without_push() && !case.rights.merge(&case.branches);
    refused.then_some(Denial::MayNotCreateProtectedBranch)
}

/// R8
fn unknown_commit(case: &RefCase<'_>) -> Option<Denial> {
    if !case.is_created_without_push() {
        return None;
    }
    let branches = case.update.new.as_ref().and_then(|new| case.answers.containing.get(new));
    let protected = |branch: &String| !case.push.protecting(branch).is_empty();
    let known = branches.is_some_and(|branches| branches.iter().any(protected));
    (!known).then_some(Denial::ProtectedBranchFromUnknownCommit)
}

/// R9
fn creation_off_the_web(case: &RefCase<'_>) -> Option<Denial> {
    (case.is_created_without_push() && !case.web).then_some(Denial::CreateProtectedBranchOnWeb)
}

/// R10
fn protected_deletion(case: &RefCase<'_>) -> Option<Denial> {
    (case.is_deleted_while_protected() && !case.rights.maintains()).then_some(Denial::MayNotDeleteProtectedBranch)
}

/// R11
fn deletion_off_the_web(case: &RefCase<'_>) -> Option<Denial> {
    (case.is_deleted_while_protected() && !case.web).then_some(Denial::DeleteProtectedBranchOnWeb)
}

/// R12
fn protected_merge(case: &RefCase<'_>) -> Option<Denial> {
    let refused = case.is_updated_without_push() && case.is_merge() && !case.rights.merge(&case.branches);
    refused.then_some(Denial::MayNotMergeIntoProtectedBranch)
}

/// R13
fn protected_push(case: &RefCase<'_>) -> Option<Denial> {
    (case.is_updated_without_push() && !case.is_merge()).then_some(Denial::MayNotPushToProtectedBranch)
}

/// R14: a policy says that branches change by merge requests alone, whoever may push to them
fn policy(case: &RefCase<'_>) -> Option<Denial> {
    if !case.is_under_policy() {
        return None;
    }
    if case.forced {
        return Some(Denial::PolicyBlocksForcePush);
    }
    (!case.is_merge()).then_some(Denial::PolicyBlocksPush)
}

/// T1
fn changed_tag(case: &RefCase<'_>) -> Option<Denial> {
    (case.update.old.is_some() && !case.rights.push_code).then_some(Denial::MayNotChangeTag)
}

/// T2
fn tag_like_default_branch(case: &RefCase<'_>) -> Option<Denial> {
    (case.update.is_creation() && case.is_default_branch()).then_some(Denial::TagNamedLikeDefaultBranch)
}

/// T3
fn tag_not_utf8(case: &RefCase<'_>) -> Option<Denial> {
    let unreadable = case.name.contains(char::REPLACEMENT_CHARACTER);
    (!case.update.is_deletion() && unreadable).then_some(Denial::TagNotUtf8)
}

/// T4
fn invalid_tag_name(case: &RefCase<'_>) -> Option<Denial> {
    let invalid = !is_valid_name(case.name) || case.name.starts_with("refs/tags/");
    (!case.update.is_deletion() && invalid).then_some(Denial::InvalidTagName)
}

/// T5
fn tag_like_object_id(case: &RefCase<'_>) -> Option<Denial> {
    (!case.update.is_deletion() && looks_like_object_id(case.name)).then_some(Denial::TagLikeObjectId)
}

/// T6
fn protected_tag_update(case: &RefCase<'_>) -> Option<Denial> {
    let moved = !case.update.is_creation() && !case.update.is_deletion();
    (!case.tags.is_empty() && moved).then_some(Denial::ProtectedTagUpdated)
}

/// T7
fn protected_tag_deletion(case: &RefCase<'_>) -> Option<Denial> {
    let deleted = !case.tags.is_empty() && case.update.is_deletion();
    (deleted && !case.rights.maintains()).then_some(Denial::MayNotDeleteProtectedTag)
}

/// T8
fn tag_deletion_off_the_web(case: &RefCase<'_>) -> Option<Denial> {
    let deleted = !case.tags.is_empty() && case.update.is_deletion();
    (deleted && !case.web).then_some(Denial::DeleteProtectedTagOnWeb)
}

/// T9; a deploy key that may push may create any protected tag
fn protected_tag_creation(case: &RefCase<'_>) -> Option<Denial> {
    if case.tags.is_empty() || !case.update.is_creation() {
        return None;
    }
    let deploy_key = matches!(case.facts.actor(), AccessActor::DeployKey(_));
    let created = case.tags.iter().flat_map(|tag| &tag.create).any(|row| case.rights.admitted_by(row));
    (!deploy_key && !created).then_some(Denial::MayNotCreateProtectedTag)
}

fn name(case: &RefCase<'_>) -> SeenFact {
    SeenFact::new("name", case.name)
}

fn change(case: &RefCase<'_>) -> SeenFact {
    let word = match (case.update.is_creation(), case.update.is_deletion()) {
        (true, _) => "creates it",
        (_, true) => "deletes it",
        (false, false) => "moves it",
    };
    SeenFact::new("change", word)
}

fn default_branch(case: &RefCase<'_>) -> SeenFact {
    SeenFact::new("default branch", case.answers.default_branch.as_deref().unwrap_or("not asked"))
}

fn protections(case: &RefCase<'_>) -> SeenFact {
    let patterns: Vec<&str> = match case.update.name {
        RefName::Tag(_) => case.tags.iter().map(|tag| tag.pattern.as_str()).collect(),
        RefName::Branch(_) | RefName::Other(_) => case.branches.iter().map(|branch| branch.pattern.as_str()).collect(),
    };
    let said = if !patterns.is_empty() {
        patterns.join(", ")
    } else if case.is_protected() {
        "the protection of default branches".to_owned()
    } else {
        "none".to_owned()
    };
    SeenFact::new("protected by", said)
}

fn rights(case: &RefCase<'_>) -> SeenFact {
    let word = match (case.rights.push(&case.branches), case.rights.merge(&case.branches)) {
        (true, true) => "push and merge",
        (true, false) => "push",
        (false, true) => "merge",
        (false, false) => "neither push nor merge",
    };
    SeenFact::new("the actor may there", word)
}
