//! May these ref updates go in? The rules of Gitaly's call, over facts of the project and of its repository
//! (allowed.md section 3).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::content::{self, PushContent};
use super::refs::{ObjectId, RefName, RefPattern, RefUpdate, is_valid_name, looks_like_object_id};
use super::{AccessActor, AccessFacts, AccessProject, AccessProtocol, Denial, account_denial, may_push_code, sees};
use crate::domain::default_branch::DefaultProtection;
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel};

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

/// A rule of a security policy: protected branches that nothing but merge requests may change.
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

/// Whom one row of a protection admits.
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

/// What must be asked about a repository before the rules can be applied: no more than they will look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushQuestions {
    /// Whether the repository has a branch.
    pub empty: bool,
    /// Which branch is the default one.
    pub default_branch: bool,
    /// Whether the first object of each pair is an ancestor of the second.
    pub ancestry: BTreeSet<(ObjectId, ObjectId)>,
    /// Which branches contain these commits.
    pub containing: BTreeSet<ObjectId>,
    /// What the push brings along.
    pub content: content::ContentQuestions,
}

impl PushQuestions {
    /// Whether nothing must be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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

/// What the rules will look at for these changes.
#[must_use]
pub fn questions(facts: &AccessFacts, push: &PushFacts, changes: &[RefUpdate]) -> PushQuestions {
    let mut questions =
        PushQuestions { content: content::questions(&push.content, changes), ..PushQuestions::default() };
    let rights = RefRights::new(facts);
    for change in changes {
        match &change.name {
            RefName::Branch(name) => {
                let protections = push.protecting(name);
                questions.default_branch |= change.is_deletion();
                // Where a branch is, the repository is not empty; a new branch may be the first one.
                questions.empty |= change.is_creation();
                // Policies are about protected branches.
                let policies = if protections.is_empty() { &[] } else { &push.policies[..] };
                if let Some((old, new)) = change.update() {
                    let forcing = protections.iter().any(|protection| protection.allow_force_push);
                    if (!protections.is_empty() && !forcing) || !policies.is_empty() {
                        questions.ancestry.insert((old.clone(), new.clone()));
                    }
                }
                questions.default_branch |= policies.iter().any(|rule| rule.branches == PolicyBranches::Default);
                let merges = !rights.push(&protections) && rights.merge(&protections);
                if let Some(new) = change.new.as_ref().filter(|_| change.is_creation() && merges) {
                    questions.containing.insert(new.clone());
                }
            }
            RefName::Tag(_) => questions.default_branch |= change.is_creation(),
            RefName::Other(_) => {}
        }
    }
    questions.default_branch |= push.content.needs_default_branch();
    questions
}

/// Why the changes may not go in, if so: the first rule that refuses the first change that it refuses.
#[must_use]
pub fn denial(
    facts: &AccessFacts,
    protocol: &AccessProtocol,
    push: &PushFacts,
    changes: &[RefUpdate],
    answers: &PushAnswers,
) -> Option<Denial> {
    let rules = RefRules { facts, protocol, push, answers, rights: RefRights::new(facts) };
    let Some(project) = &facts.project else { return Some(Denial::NoSuchProject) };
    // Nobody pushes nothing; asked like a push of anything, it is let through for nobody who may not push.
    let nothing = changes.is_empty() && rules.may_not_push(project, None);
    if content::is_full(&push.content, changes, &answers.content) {
        return Some(Denial::RepositoryFull);
    }
    nothing
        .then_some(Denial::MayNotPush)
        .or_else(|| changes.iter().find_map(|change| rules.change_denial(project, change)))
        .or_else(|| {
            let default_branch = answers.default_branch.as_deref();
            content::denial(protocol, &push.content, changes, default_branch, &answers.content)
        })
}

/// Which branches the user may push to as a collaborator: those whose merge request they may merge. `targets` say what the
/// projects of the merge requests protect; of one that is not among them nothing is known, and nothing let through.
#[must_use]
pub fn collaborations(facts: &AccessFacts, targets: &BTreeMap<ProjectId, PushFacts>) -> BTreeSet<String> {
    let open = super::collaborations(facts).iter().filter(|collaboration| {
        let Some(target) = targets.get(&collaboration.target) else { return false };
        let rights = RefRights { push_code: true, level: collaboration.level, ..RefRights::new(facts) };
        let protections = target.protecting(&collaboration.target_branch);
        protections.is_empty() || rights.push(&protections) || rights.merge(&protections)
    });
    open.map(|collaboration| collaboration.branch.clone()).collect()
}

/// The projects whose protections decide which of the changed branches the user may push to as a collaborator.
#[must_use]
pub fn collaboration_targets(facts: &AccessFacts, changes: &[RefUpdate]) -> BTreeSet<ProjectId> {
    if RefRights::new(facts).push_code {
        return BTreeSet::new();
    }
    let branches: BTreeSet<&str> = changes.iter().map(|change| change.name.short()).collect();
    let open = super::collaborations(facts).iter();
    open.filter(|open| branches.contains(open.branch.as_str())).map(|open| open.target).collect()
}

/// Whether the changes are refused whatever the repository answers: nobody who may not push at all makes us ask.
#[must_use]
pub fn denial_without_answers(facts: &AccessFacts, push: &PushFacts, changes: &[RefUpdate]) -> bool {
    let answers = PushAnswers::default();
    let rules =
        RefRules { facts, protocol: &AccessProtocol::Web, push, answers: &answers, rights: RefRights::new(facts) };
    let first = changes.first().map(|change| &change.name);
    let full = content::is_full(&push.content, changes, &answers.content);
    full || facts.project.as_ref().is_none_or(|project| rules.may_not_push(project, first))
}

impl PushFacts {
    /// The protections whose pattern the branch matches.
    fn protecting(&self, branch: &str) -> Vec<&BranchProtection> {
        self.branches.iter().filter(|protection| protection.pattern.matches(branch)).collect()
    }
}

/// What the acting user may do to refs of the project.
struct RefRights<'a> {
    facts: &'a AccessFacts,
    /// The ability *push code*.
    push_code: bool,
    admin: bool,
    level: AccessLevel,
    user: Option<UserId>,
}

impl<'a> RefRights<'a> {
    fn new(facts: &'a AccessFacts) -> Self {
        let project = facts.project.as_ref();
        let user = facts.user.as_ref();
        Self {
            facts,
            push_code: project.is_some_and(|project| may_push_code(facts, project)),
            admin: user.is_some_and(|user| user.admin),
            level: project.map_or(AccessLevel::NO_ACCESS, |project| project.level),
            user: user.map(|user| user.id),
        }
    }

    fn push(&self, protections: &[&BranchProtection]) -> bool {
        protections.iter().flat_map(|protection| &protection.push).any(|row| self.admitted_by(row))
    }

    fn merge(&self, protections: &[&BranchProtection]) -> bool {
        protections.iter().flat_map(|protection| &protection.merge).any(|row| self.admitted_by(row))
    }

    fn admitted_by(&self, row: &RefAdmission) -> bool {
        match *row {
            RefAdmission::Role(AccessLevel::NO_ACCESS) => false,
            RefAdmission::Role(AccessLevel::ADMIN) => self.admin,
            // Administrators pass role rows by their role in the project alone.
            RefAdmission::Role(least) => self.push_code && self.level >= least,
            RefAdmission::User(user) => self.push_code && self.user == Some(user),
            RefAdmission::Group(member) => self.push_code && member,
            RefAdmission::DeployKey(creator) => creator.is_some() && creator == self.user,
        }
    }

    /// Whether the deploy key that acts may push here at all: it is enabled with that right, and its creator may still
    /// use git and read the project.
    fn deploy_key_may_push(&self, project: &AccessProject) -> bool {
        let creator = self.facts.user.as_ref().is_some_and(|creator| {
            let reads = creator.admin || project.level >= AccessLevel::GUEST || sees(creator, project.visibility);
            reads && account_denial(self.facts, creator).is_none()
        });
        creator && project.deploy_key_can_push == Some(true) && project.repository_level != FeatureLevel::Disabled
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
    fn change_denial(&self, project: &AccessProject, change: &RefUpdate) -> Option<Denial> {
        // Nobody collaborates on an empty repository.
        let collaborator = matches!(self.facts.actor(), AccessActor::User(_)) && !self.rights.push_code;
        let first = self.answers.empty && change.is_creation();
        if self.may_not_push(project, Some(&change.name)) || (collaborator && first) {
            return Some(Denial::MayNotPush);
        }
        match &change.name {
            RefName::Branch(name) => {
                self.branch_denial(project, name, change).or_else(|| self.policy_denial(name, change))
            }
            RefName::Tag(name) => self.tag_denial(name, change),
            RefName::Other(_) => None,
        }
    }

    /// R1
    fn may_not_push(&self, project: &AccessProject, name: Option<&RefName>) -> bool {
        match self.facts.actor() {
            AccessActor::User(_) => {
                let collaborates = match name {
                    Some(RefName::Branch(name)) => self.push.collaborations.contains(name),
                    Some(RefName::Tag(_) | RefName::Other(_)) | None => false,
                };
                !self.rights.push_code && !collaborates
            }
            // For deploy keys GitLab holds the full ref against the patterns of branches, so that a bare `*` matches.
            AccessActor::DeployKey(_) => {
                let full = name.map(RefName::to_string).unwrap_or_default();
                let protections = self.push.protecting(&full);
                let shut_out = !full.is_empty() && !protections.is_empty() && !self.rights.push(&protections);
                shut_out || !self.rights.deploy_key_may_push(project)
            }
            AccessActor::Nobody => true,
        }
    }

    /// R2 to R13, the end of a merge among them
    fn branch_denial(&self, project: &AccessProject, name: &str, change: &RefUpdate) -> Option<Denial> {
        if change.is_deletion() {
            if self.answers.default_branch.as_deref() == Some(name) {
                return Some(Denial::DefaultBranchDeleted);
            }
        } else if looks_like_object_id(name) {
            return Some(Denial::BranchLikeObjectId);
        } else if !is_valid_name(name) {
            return Some(Denial::InvalidBranchName);
        }
        let protections = self.push.protecting(name);
        let empty = self.answers.empty && change.is_creation();
        if protections.is_empty() && !(empty && self.push.default_protection.protects) {
            return None;
        }
        self.protected_branch_denial(project, name, &protections, empty, change)
    }

    fn protected_branch_denial(
        &self,
        project: &AccessProject,
        name: &str,
        protections: &[&BranchProtection],
        empty: bool,
        change: &RefUpdate,
    ) -> Option<Denial> {
        let may_force = protections.iter().any(|protection| protection.allow_force_push);
        if self.is_forced(change) && !may_force {
            return Some(Denial::ForcePush);
        }
        let push = if empty { self.may_push_first() } else { self.rights.push(protections) };
        if empty {
            return (!push).then(|| Denial::NoDefaultBranch {
                branch: self.push.default_branch_name.clone(),
                project: project.full_path.clone(),
            });
        }
        if change.is_creation() {
            return if push { None } else { self.protected_creation_denial(protections, change) };
        }
        let web = *self.protocol == AccessProtocol::Web;
        if change.is_deletion() {
            let maintains = self.rights.admin || self.rights.level >= AccessLevel::MAINTAINER;
            return match (maintains, web) {
                (false, _) => Some(Denial::MayNotDeleteProtectedBranch),
                (true, false) => Some(Denial::DeleteProtectedBranchOnWeb),
                (true, true) => None,
            };
        }
        if push {
            None
        } else if !self.is_merge(name, change) {
            Some(Denial::MayNotPushToProtectedBranch)
        } else {
            (!self.rights.merge(protections)).then_some(Denial::MayNotMergeIntoProtectedBranch)
        }
    }

    /// Whether the change is the end of a merge that is running.
    fn is_merge(&self, branch: &str, change: &RefUpdate) -> bool {
        let ends = |merge: &RunningMerge| change.new.as_ref() == Some(&merge.commit) && merge.branch == branch;
        self.push.merges.iter().any(ends)
    }

    /// R14: a policy says that branches change by merge requests alone, whoever may push to them
    fn policy_denial(&self, name: &str, change: &RefUpdate) -> Option<Denial> {
        if !self.is_under_policy(name, change) {
            return None;
        }
        if self.is_forced(change) {
            return Some(Denial::PolicyBlocksForcePush);
        }
        (!self.is_merge(name, change)).then_some(Denial::PolicyBlocksPush)
    }

    /// Policies are about protected branches that exist, or whose very name is protected; in an empty repository they are
    /// about none.
    fn is_under_policy(&self, name: &str, change: &RefUpdate) -> bool {
        let protections = self.push.protecting(name);
        let named = protections.iter().any(|protection| protection.pattern == RefPattern::new(name));
        if protections.is_empty() || (change.is_creation() && (self.answers.empty || !named)) {
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
    fn protected_creation_denial(&self, protections: &[&BranchProtection], change: &RefUpdate) -> Option<Denial> {
        if !self.rights.merge(protections) {
            return Some(Denial::MayNotCreateProtectedBranch);
        }
        let branches = change.new.as_ref().and_then(|new| self.answers.containing.get(new));
        let protected = |branch: &String| !self.push.protecting(branch).is_empty();
        if !branches.is_some_and(|branches| branches.iter().any(protected)) {
            return Some(Denial::ProtectedBranchFromUnknownCommit);
        }
        (*self.protocol != AccessProtocol::Web).then_some(Denial::CreateProtectedBranchOnWeb)
    }

    fn is_forced(&self, change: &RefUpdate) -> bool {
        let pair = change.update().map(|(old, new)| (old.clone(), new.clone()));
        pair.is_some_and(|pair| self.answers.diverged.contains(&pair))
    }

    /// Who may make the first branch of an empty repository (3.3.3).
    fn may_push_first(&self) -> bool {
        let developers = self.push.default_protection.lets_developers_begin();
        let least = if developers { AccessLevel::DEVELOPER } else { AccessLevel::MAINTAINER };
        self.rights.admin || self.rights.level >= least
    }

    /// T1 to T9
    fn tag_denial(&self, name: &str, change: &RefUpdate) -> Option<Denial> {
        if change.old.is_some() && !self.rights.push_code {
            return Some(Denial::MayNotChangeTag);
        }
        if change.is_creation() && self.answers.default_branch.as_deref() == Some(name) {
            return Some(Denial::TagNamedLikeDefaultBranch);
        }
        if !change.is_deletion() {
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
        if change.is_deletion() {
            let maintains = self.rights.admin || self.rights.level >= AccessLevel::MAINTAINER;
            return match (maintains, *self.protocol == AccessProtocol::Web) {
                (false, _) => Some(Denial::MayNotDeleteProtectedTag),
                (true, false) => Some(Denial::DeleteProtectedTagOnWeb),
                (true, true) => None,
            };
        }
        if !change.is_creation() {
            return Some(Denial::ProtectedTagUpdated);
        }
        // A deploy key that may push may create any protected tag.
        let deploy_key = matches!(self.facts.actor(), AccessActor::DeployKey(_));
        let created = protections.iter().flat_map(|tag| &tag.create).any(|row| self.rights.admitted_by(row));
        (!deploy_key && !created).then_some(Denial::MayNotCreateProtectedTag)
    }
}
