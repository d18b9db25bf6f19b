//! May these ref updates go in? The rules of Gitaly's call, over facts of the project and of its repository
//! (allowed.md section 3).

mod questions;
mod rights;
mod snippets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use self::questions::{PushQuestions, questions};
use self::rights::RefRights;
use super::content::{self, PushContent};
use super::refs::{ObjectId, RefName, RefPattern, RefUpdate, is_valid_name, looks_like_object_id};
use super::{AccessActor, AccessFacts, AccessProject, AccessProtocol, Attempt, Decision, Denial};
use crate::domain::default_branch::DefaultProtection;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::AccessLevel;

/// What is pushed to, as far as rules look at its refs.
#[derive(Debug, Clone)]
pub enum PushedRepository {
    /// A project's code, and what the project says about its refs.
    Project(Box<PushFacts>),
    /// A snippet.
    Snippet,
    /// A wiki or designs: no rule looks at their refs.
    Other,
}

/// What the project says about its refs.
#[derive(Debug, Clone, Default)]
pub struct PushFacts {
    /// Patterns that protect branches, the project's and its top-level group's.
    pub branches: Vec<BranchProtection>,
    /// Patterns that protect tags.
    pub tags: Vec<TagProtection>,
    /// What protects the branches of an empty repository.
    pub default_protection: DefaultProtection,
    /// The name of the first branch, where none exists yet.
    pub default_branch_name: String,
    /// Push rules, LFS and sizes.
    pub content: content::ContentRules,
    /// The merges that are running and end with an object of the push.
    pub merges: Vec<RunningMerge>,
    /// Rules of security policies that keep branches from being pushed to.
    pub policies: Vec<PolicyRule>,
    /// The branches that the user may push to as a collaborator.
    pub collaborations: BTreeSet<String>,
}

/// A merge request whose merge is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningMerge {
    /// The object that the branch is to name afterwards.
    pub commit: ObjectId,
    /// The branch that it merges into.
    pub branch: String,
}

/// A rule of a security policy: protected branches that nothing but merge requests may update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRule {
    /// Which of the protected branches.
    pub branches: PolicyBranches,
    /// Branches that no rule is about.
    pub exceptions: Vec<RefPattern>,
}

/// Which protected branches a rule of a security policy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyBranches {
    /// All of them.
    Protected,
    /// The default branch.
    Default,
    /// Those of these names.
    Named(Vec<RefPattern>),
}

/// A pattern that protects branches.
#[derive(Debug, Clone)]
pub struct BranchProtection {
    /// Which branches.
    pub pattern: RefPattern,
    /// Whether those who may push may also force-push.
    pub allow_force_push: bool,
    /// Who may push.
    pub push: Vec<RefAdmission>,
    /// Who may merge.
    pub merge: Vec<RefAdmission>,
}

/// A pattern that protects tags.
#[derive(Debug, Clone)]
pub struct TagProtection {
    /// Which tags.
    pub pattern: RefPattern,
    /// Who may create them.
    pub create: Vec<RefAdmission>,
}

/// Who one row of a protection admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefAdmission {
    /// Everybody who may push code and has this level at least; 0 is nobody, 60 administrators.
    Role(AccessLevel),
    /// This user.
    User(UserId),
    /// The members of a group, and whether the user is one of them.
    Group(bool),
    /// The creator of a deploy key that may still push, as far as they are still a member of the project.
    DeployKey(Option<UserId>),
}

/// What the repository answered.
#[derive(Debug, Clone, Default)]
pub struct PushAnswers {
    /// The repository has no branch.
    pub empty: bool,
    /// The default branch, without `refs/heads/`; none in an empty repository.
    pub default_branch: Option<String>,
    /// The pairs of old and new objects where the old one is not an ancestor of the new one.
    pub diverged: BTreeSet<(ObjectId, ObjectId)>,
    /// The branches that contain a commit.
    pub containing: HashMap<ObjectId, Vec<String>>,
    /// What the push brings along.
    pub content: PushContent,
}

/// Whether the ref updates may go in: the first rule that refuses the first update that it refuses is told.
#[must_use]
pub fn decide(
    facts: &AccessFacts,
    attempt: &Attempt,
    repository: &PushedRepository,
    updates: &[RefUpdate],
    answers: &PushAnswers,
) -> Decision {
    let denial = match repository {
        PushedRepository::Project(push) => project_denial(facts, &attempt.protocol, push, updates, answers),
        PushedRepository::Snippet => snippets::denial(updates, answers),
        PushedRepository::Other => None,
    };
    denial.into()
}

fn project_denial(
    facts: &AccessFacts,
    protocol: &AccessProtocol,
    push: &PushFacts,
    updates: &[RefUpdate],
    answers: &PushAnswers,
) -> Option<Denial> {
    let Some(project) = &facts.project else { return Some(Denial::NoSuchProject) };
    let rules = RefRules { facts, protocol, push, answers, rights: RefRights::new(facts) };
    // Nobody pushes nothing; asked like a push of anything, it is let through for nobody who may not push.
    let nothing = updates.is_empty() && !rules.rights.may_push(project, push, None);
    if content::is_full(&push.content, updates, &answers.content) {
        return Some(Denial::RepositoryFull);
    }
    nothing
        .then_some(Denial::MayNotPush)
        .or_else(|| updates.iter().find_map(|update| rules.update_denial(project, update)))
        .or_else(|| content::denial(facts, protocol, &push.content, updates, answers))
}

/// Which branches the user may push to as a collaborator: those whose merge request they may merge. `targets` say what
/// the projects of the merge requests protect; of one that is not among them nothing is known, and nothing let through.
#[must_use]
pub fn collaborations(facts: &AccessFacts, targets: &BTreeMap<ProjectId, PushFacts>) -> BTreeSet<String> {
    let open = super::collaborations(facts).iter().filter(|collaboration| {
        let Some(target) = targets.get(&collaboration.target) else { return false };
        let rights = RefRights::of_collaborator(facts, collaboration.level);
        let protections = target.protecting(&collaboration.target_branch);
        protections.is_empty() || rights.push(&protections) || rights.merge(&protections)
    });
    open.map(|collaboration| collaboration.branch.clone()).collect()
}

/// The projects whose protections decide which of the changed branches the user may push to as a collaborator.
#[must_use]
pub fn collaboration_targets(facts: &AccessFacts, updates: &[RefUpdate]) -> BTreeSet<ProjectId> {
    if RefRights::new(facts).push_code {
        return BTreeSet::new();
    }
    let branches: BTreeSet<&str> = updates.iter().map(|update| update.name.short()).collect();
    let open = super::collaborations(facts).iter();
    open.filter(|open| branches.contains(open.branch.as_str())).map(|open| open.target).collect()
}

impl PushFacts {
    /// The protections whose pattern the branch matches.
    fn protecting(&self, branch: &str) -> Vec<&BranchProtection> {
        self.branches.iter().filter(|protection| protection.pattern.matches(branch)).collect()
    }
}

struct RefRules<'a> {
    facts: &'a AccessFacts,
    protocol: &'a AccessProtocol,
    push: &'a PushFacts,
    answers: &'a PushAnswers,
    rights: RefRights<'a>,
}

impl RefRules<'_> {
    fn update_denial(&self, project: &AccessProject, update: &RefUpdate) -> Option<Denial> {
        // Nobody collaborates on an empty repository.
        let collaborator = matches!(self.facts.actor(), AccessActor::User(_)) && !self.rights.push_code;
        let first = self.answers.empty && update.is_creation();
        if !self.rights.may_push(project, self.push, Some(&update.name)) || (collaborator && first) {
            return Some(Denial::MayNotPush);
        }
        match &update.name {
            RefName::Branch(name) => {
                self.branch_denial(project, name, update).or_else(|| self.policy_denial(name, update))
            }
            RefName::Tag(name) => self.tag_denial(name, update),
            RefName::Other(_) => None,
        }
    }

    /// R2 to R13, the end of a merge among them
    fn branch_denial(&self, project: &AccessProject, name: &str, update: &RefUpdate) -> Option<Denial> {
        if update.is_deletion() {
            if self.answers.default_branch.as_deref() == Some(name) {
                return Some(Denial::DefaultBranchDeleted);
            }
        } else if looks_like_object_id(name) {
            return Some(Denial::BranchLikeObjectId);
        } else if !is_valid_name(name) {
            return Some(Denial::InvalidBranchName);
        }
        let protections = self.push.protecting(name);
        let empty = self.answers.empty && update.is_creation();
        if protections.is_empty() && !(empty && self.push.default_protection.protects) {
            return None;
        }
        self.protected_branch_denial(project, name, &protections, empty, update)
    }

    fn protected_branch_denial(
        &self,
        project: &AccessProject,
        name: &str,
        protections: &[&BranchProtection],
        empty: bool,
        update: &RefUpdate,
    ) -> Option<Denial> {
        let may_force = protections.iter().any(|protection| protection.allow_force_push);
        if self.is_forced(update) && !may_force {
            return Some(Denial::ForcePush);
        }
        let push = if empty { self.may_push_first() } else { self.rights.push(protections) };
        if empty {
            return (!push).then(|| Denial::NoDefaultBranch {
                branch: self.push.default_branch_name.clone(),
                project: project.full_path.clone(),
            });
        }
        if update.is_creation() {
            return if push { None } else { self.protected_creation_denial(protections, update) };
        }
        let web = self.is_web();
        if update.is_deletion() {
            return match (self.rights.maintains(), web) {
                (false, _) => Some(Denial::MayNotDeleteProtectedBranch),
                (true, false) => Some(Denial::DeleteProtectedBranchOnWeb),
                (true, true) => None,
            };
        }
        if push {
            None
        } else if !self.is_merge(name, update) {
            Some(Denial::MayNotPushToProtectedBranch)
        } else {
            (!self.rights.merge(protections)).then_some(Denial::MayNotMergeIntoProtectedBranch)
        }
    }

    /// Whether the change is the end of a merge that is running.
    fn is_merge(&self, branch: &str, update: &RefUpdate) -> bool {
        let ends = |merge: &RunningMerge| update.new.as_ref() == Some(&merge.commit) && merge.branch == branch;
        self.push.merges.iter().any(ends)
    }

    /// R14: a policy says that branches change by merge requests alone, whoever may push to them
    fn policy_denial(&self, name: &str, update: &RefUpdate) -> Option<Denial> {
        if !self.is_under_policy(name, update) {
            return None;
        }
        if self.is_forced(update) {
            return Some(Denial::PolicyBlocksForcePush);
        }
        (!self.is_merge(name, update)).then_some(Denial::PolicyBlocksPush)
    }

    /// Policies are about protected branches that exist, or whose very name is protected; in an empty repository they
    /// are about none.
    fn is_under_policy(&self, name: &str, update: &RefUpdate) -> bool {
        let protections = self.push.protecting(name);
        let named = protections.iter().any(|protection| protection.pattern == RefPattern::new(name));
        if protections.is_empty() || (update.is_creation() && (self.answers.empty || !named)) {
            return false;
        }
        let excepted = |rule: &PolicyRule| rule.exceptions.iter().any(|pattern| pattern.matches(name));
        let about = |rule: &PolicyRule| match &rule.branches {
            PolicyBranches::Protected => true,
            PolicyBranches::Default => self.answers.default_branch.as_deref() == Some(name),
            PolicyBranches::Named(patterns) => patterns.iter().any(|pattern| pattern.matches(name)),
        };
        let policies = &self.push.policies;
        policies.iter().any(about) && !policies.iter().any(excepted)
    }

    /// R7 to R9, for those who may not push there
    fn protected_creation_denial(&self, protections: &[&BranchProtection], update: &RefUpdate) -> Option<Denial> {
        if !self.rights.merge(protections) {
            return Some(Denial::MayNotCreateProtectedBranch);
        }
        let branches = update.new.as_ref().and_then(|new| self.answers.containing.get(new));
        let protected = |branch: &String| !self.push.protecting(branch).is_empty();
        if !branches.is_some_and(|branches| branches.iter().any(protected)) {
            return Some(Denial::ProtectedBranchFromUnknownCommit);
        }
        (!self.is_web()).then_some(Denial::CreateProtectedBranchOnWeb)
    }

    fn is_web(&self) -> bool {
        *self.protocol == AccessProtocol::Web
    }

    fn is_forced(&self, update: &RefUpdate) -> bool {
        let pair = update.moved().map(|(old, new)| (old.clone(), new.clone()));
        pair.is_some_and(|pair| self.answers.diverged.contains(&pair))
    }

    /// Who may make the first branch of an empty repository (3.3.3).
    fn may_push_first(&self) -> bool {
        let developers = self.push.default_protection.lets_developers_begin();
        let least = if developers { AccessLevel::DEVELOPER } else { AccessLevel::MAINTAINER };
        self.rights.has(least)
    }

    /// T1 to T9
    fn tag_denial(&self, name: &str, update: &RefUpdate) -> Option<Denial> {
        if update.old.is_some() && !self.rights.push_code {
            return Some(Denial::MayNotChangeTag);
        }
        if update.is_creation() && self.answers.default_branch.as_deref() == Some(name) {
            return Some(Denial::TagNamedLikeDefaultBranch);
        }
        if !update.is_deletion() {
            if name.contains(char::REPLACEMENT_CHARACTER) {
                return Some(Denial::TagNotUtf8);
            }
            if !is_valid_name(name) || name.starts_with("refs/tags/") {
                return Some(Denial::InvalidTagName);
            }
            if looks_like_object_id(name) {
                return Some(Denial::TagLikeObjectId);
            }
        }
        let protections: Vec<_> = self.push.tags.iter().filter(|tag| tag.pattern.matches(name)).collect();
        if protections.is_empty() {
            return None;
        }
        if update.is_deletion() {
            return match (self.rights.maintains(), self.is_web()) {
                (false, _) => Some(Denial::MayNotDeleteProtectedTag),
                (true, false) => Some(Denial::DeleteProtectedTagOnWeb),
                (true, true) => None,
            };
        }
        if !update.is_creation() {
            return Some(Denial::ProtectedTagUpdated);
        }
        // A deploy key that may push may create any protected tag.
        let deploy_key = matches!(self.facts.actor(), AccessActor::DeployKey(_));
        let created = protections.iter().flat_map(|tag| &tag.create).any(|row| self.rights.admitted_by(row));
        (!deploy_key && !created).then_some(Denial::MayNotCreateProtectedTag)
    }
}
