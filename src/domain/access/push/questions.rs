//! What must be asked about a repository before the rules can be applied: no more than they will look at.

use std::collections::BTreeSet;

use super::{BranchProtection, PolicyBranches, PolicyRule, PushFacts, PushedRepository, RefRights, snippets};
use crate::domain::access::AccessFacts;
use crate::domain::access::content::{self, ContentQuestions};
use crate::domain::access::refs::{ObjectId, RefName, RefUpdate};

/// What must be asked about a repository.
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
    pub content: ContentQuestions,
}

impl PushQuestions {
    /// Whether nothing must be asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the rules will look at for these updates.
#[must_use]
pub fn questions(facts: &AccessFacts, repository: &PushedRepository, updates: &[RefUpdate]) -> PushQuestions {
    match repository {
        PushedRepository::Project(push) => project_questions(facts, push, updates),
        PushedRepository::Snippet => snippets::questions(updates),
        PushedRepository::Other => PushQuestions::default(),
    }
}

pub(super) fn project_questions(facts: &AccessFacts, push: &PushFacts, updates: &[RefUpdate]) -> PushQuestions {
    // What the rules refuse without an answer is not worth a question.
    if is_refused_unasked(facts, push, updates) {
        return PushQuestions::default();
    }
    let rights = RefRights::new(facts);
    let pair = |(old, new): (&ObjectId, &ObjectId)| (old.clone(), new.clone());
    let forced = updates.iter().filter(|update| needs_ancestry(push, update)).filter_map(RefUpdate::moved).map(pair);
    let based = updates.iter().filter(|update| needs_containing_branches(&rights, push, update));
    PushQuestions {
        empty: updates.iter().any(needs_emptiness),
        default_branch: push.content.needs_default_branch()
            || updates.iter().any(|update| needs_default_branch(push, update)),
        ancestry: forced.collect(),
        containing: based.filter_map(|update| update.new.clone()).collect(),
        content: content::questions(&facts.settings, &push.content, updates),
    }
}

/// Whether the updates are refused whatever the repository answers: nobody who may not push at all makes us ask.
fn is_refused_unasked(facts: &AccessFacts, push: &PushFacts, updates: &[RefUpdate]) -> bool {
    let Some(project) = &facts.project else { return true };
    let first = updates.first().map(|update| &update.name);
    let full = content::is_full(&push.content, updates, &content::PushContent::default());
    full || !RefRights::new(facts).may_push(project, push, first)
}

/// Where a branch is, the repository is not empty; a new branch may be the first one.
fn needs_emptiness(update: &RefUpdate) -> bool {
    matches!(update.name, RefName::Branch(_)) && update.is_creation()
}

/// The default branch stays, no tag takes its name, and rules of policies may be about it.
fn needs_default_branch(push: &PushFacts, update: &RefUpdate) -> bool {
    match &update.name {
        RefName::Branch(name) => {
            let about_it = |rule: &PolicyRule| rule.branches == PolicyBranches::Default;
            update.is_deletion() || policies_on(push, &push.protecting(name)).iter().any(about_it)
        }
        RefName::Tag(_) => update.is_creation(),
        RefName::Other(_) => false,
    }
}

/// Whether it matters that the update rewrites the history of its branch.
fn needs_ancestry(push: &PushFacts, update: &RefUpdate) -> bool {
    let RefName::Branch(name) = &update.name else { return false };
    let protections = push.protecting(name);
    let forcing = protections.iter().any(|protection| protection.allow_force_push);
    (!protections.is_empty() && !forcing) || !policies_on(push, &protections).is_empty()
}

/// Whether it matters which branches contain the commit that a new protected branch begins with: for those who may
/// merge there, and not push.
fn needs_containing_branches(rights: &RefRights<'_>, push: &PushFacts, update: &RefUpdate) -> bool {
    let RefName::Branch(name) = &update.name else { return false };
    let protections = push.protecting(name);
    update.is_creation() && !rights.push(&protections) && rights.merge(&protections)
}

/// Policies are about protected branches.
fn policies_on<'a>(push: &'a PushFacts, protections: &[&BranchProtection]) -> &'a [PolicyRule] {
    if protections.is_empty() { &[] } else { &push.policies }
}
