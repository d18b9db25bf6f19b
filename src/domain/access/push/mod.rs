//! May these ref updates go in? The rules of Gitaly's call, over facts of the project and of its repository
//! (allowed.md section 3).

mod questions;
mod rights;
mod rules;
mod snippets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use self::questions::{PushQuestions, questions};
use self::rights::RefRights;
use self::rules::RefCase;
use super::content::{self, PushContent};
use super::refs::{ObjectId, RefName, RefPattern, RefUpdate};
use super::rules::{RuleVerdict, SeenFact, VerdictList, level};
use super::{AccessFacts, AccessProject, AccessProtocol, Attempt, Decision, Denial};
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
    let rights = RefRights::new(facts);
    full_repository(push, updates, answers)
        .or_else(|| push_of_nothing(&rights, project, push, updates))
        .or_else(|| {
            updates.iter().find_map(|update| {
                let case = RefCase::new(facts, project, protocol, push, answers, &rights, update);
                rules::rules_of(&case).find_map(|rule| (rule.judge)(&case))
            })
        })
        .or_else(|| content::denial(facts, protocol, &push.content, updates, answers))
}

/// K6, before anything is added
fn full_repository(push: &PushFacts, updates: &[RefUpdate], answers: &PushAnswers) -> Option<Denial> {
    content::is_full(&push.content, updates, &answers.content).then_some(Denial::RepositoryFull)
}

/// R1, of no ref: nobody pushes nothing; asked like a push of anything, it is let through for nobody who may not push.
fn push_of_nothing(
    rights: &RefRights<'_>,
    project: &AccessProject,
    push: &PushFacts,
    updates: &[RefUpdate],
) -> Option<Denial> {
    (updates.is_empty() && !rights.may_push(project, push, None)).then_some(Denial::MayNotPush)
}

/// What every rule says of the ref updates: the same rules, in the same order. The first denial, if there is one, is
/// the decision.
#[must_use]
pub fn explain(
    facts: &AccessFacts,
    attempt: &Attempt,
    repository: &PushedRepository,
    updates: &[RefUpdate],
    answers: &PushAnswers,
) -> Vec<RuleVerdict> {
    let mut verdicts = VerdictList::default();
    match repository {
        PushedRepository::Project(push) => {
            explain_project(facts, &attempt.protocol, push, updates, answers, &mut verdicts);
        }
        PushedRepository::Snippet => {
            let asks = "branches of a snippet come and go with it: only the first one is pushed";
            verdicts.ask(("snippet_branch", asks), None, || snippets::denial(updates, answers), Vec::new());
        }
        PushedRepository::Other => {}
    }
    verdicts.into_verdicts()
}

/// The update that the rules of refs refuse, and none where the push as a whole is refused, or nothing is.
#[must_use]
pub fn refused_update<'a>(
    facts: &AccessFacts,
    attempt: &Attempt,
    repository: &PushedRepository,
    updates: &'a [RefUpdate],
    answers: &PushAnswers,
) -> Option<&'a RefUpdate> {
    let (PushedRepository::Project(push), Some(project)) = (repository, &facts.project) else { return None };
    let rights = RefRights::new(facts);
    updates.iter().find(|update| {
        let case = RefCase::new(facts, project, &attempt.protocol, push, answers, &rights, update);
        rules::rules_of(&case).any(|rule| (rule.judge)(&case).is_some())
    })
}

/// The lowest level that the protections of the ref let in; none where they name no level, or nothing protects it.
#[must_use]
pub fn least_level(push: &PushFacts, name: &RefName) -> Option<AccessLevel> {
    let rows: Vec<&RefAdmission> = match name {
        RefName::Branch(name) => push.protecting(name).into_iter().flat_map(|branch| &branch.push).collect(),
        RefName::Tag(name) => {
            push.tags.iter().filter(|tag| tag.pattern.matches(name)).flat_map(|tag| &tag.create).collect()
        }
        RefName::Other(_) => Vec::new(),
    };
    let levels = rows.into_iter().filter_map(|row| match row {
        RefAdmission::Role(level) if *level > AccessLevel::NO_ACCESS => Some(*level),
        RefAdmission::Role(_) | RefAdmission::User(_) | RefAdmission::Group(_) | RefAdmission::DeployKey(_) => None,
    });
    levels.min()
}

fn explain_project(
    facts: &AccessFacts,
    protocol: &AccessProtocol,
    push: &PushFacts,
    updates: &[RefUpdate],
    answers: &PushAnswers,
    verdicts: &mut VerdictList,
) {
    let Some(project) = &facts.project else {
        let rule = ("D9b", "what is pushed to belongs to a project");
        return verdicts.ask(rule, None, || Some(Denial::NoSuchProject), Vec::new());
    };
    let rights = RefRights::new(facts);
    if let Some(size) = push.content.size {
        let facts =
            vec![SeenFact::new("bytes allowed", size.limit.to_string()), SeenFact::new("of LFS", size.lfs.to_string())];
        let rule = ("K6", "the repository is not full before the push");
        verdicts.ask(rule, None, || full_repository(push, updates, answers), facts);
    }
    if updates.is_empty() {
        let nothing = || push_of_nothing(&rights, project, push, updates);
        verdicts.ask(("R1", "the actor may push somewhere"), None, nothing, vec![level(facts)]);
    }
    for update in updates {
        let case = RefCase::new(facts, project, protocol, push, answers, &rights, update);
        for rule in rules::rules_of(&case) {
            let name = Some(update.name.to_string());
            verdicts.ask((rule.id, rule.asks), name, || (rule.judge)(&case), (rule.sees)(&case));
        }
    }
    content::explain(facts, protocol, &push.content, updates, answers, verdicts);
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
