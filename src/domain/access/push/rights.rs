//! What the acting user may do to refs of a project.

use super::{BranchProtection, PushFacts, RefAdmission};
use crate::domain::access::refs::RefName;
use crate::domain::access::{AccessActor, AccessFacts, AccessProject, account_denial, may_push_code, sees};
use crate::domain::ids::UserId;
use crate::domain::level::{AccessLevel, FeatureLevel};

/// What the acting user may do to refs of the project.
pub(super) struct RefRights<'a> {
    facts: &'a AccessFacts,
    /// The ability *push code*.
    pub(super) push_code: bool,
    admin: bool,
    level: AccessLevel,
    user: Option<UserId>,
}

impl<'a> RefRights<'a> {
    pub(super) fn new(facts: &'a AccessFacts) -> Self {
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

    /// What somebody of this level may do to the other project of a merge request that they may collaborate on.
    pub(super) fn of_collaborator(facts: &'a AccessFacts, level: AccessLevel) -> Self {
        Self { push_code: true, level, ..Self::new(facts) }
    }

    /// R1: whether the actor may push to the ref at all; of no ref, whether they may push anywhere.
    pub(super) fn may_push(&self, project: &AccessProject, push: &PushFacts, name: Option<&RefName>) -> bool {
        match self.facts.actor() {
            AccessActor::User(_) => {
                let collaborates = match name {
                    Some(RefName::Branch(name)) => push.collaborations.contains(name),
                    Some(RefName::Tag(_) | RefName::Other(_)) | None => false,
                };
                self.push_code || collaborates
            }
            // For deploy keys GitLab holds the full ref against the patterns of branches, so that a bare `*` matches.
            AccessActor::DeployKey(_) => {
                let full = name.map(RefName::to_string).unwrap_or_default();
                let protections = push.protecting(&full);
                let shut_out = !full.is_empty() && !protections.is_empty() && !self.push(&protections);
                !shut_out && self.deploy_key_may_push(project)
            }
            AccessActor::DeployToken(_) | AccessActor::Nobody => false,
        }
    }

    /// Whether the user has this level in the project, or is an administrator.
    pub(super) fn has(&self, least: AccessLevel) -> bool {
        self.admin || self.level >= least
    }

    /// Whether the user manages the project.
    pub(super) fn maintains(&self) -> bool {
        self.has(AccessLevel::MAINTAINER)
    }

    /// Whether some row of the protections lets the user push.
    pub(super) fn push(&self, protections: &[&BranchProtection]) -> bool {
        protections.iter().flat_map(|protection| &protection.push).any(|row| self.admitted_by(row))
    }

    /// Whether some row of the protections lets the user merge.
    pub(super) fn merge(&self, protections: &[&BranchProtection]) -> bool {
        protections.iter().flat_map(|protection| &protection.merge).any(|row| self.admitted_by(row))
    }

    pub(super) fn admitted_by(&self, row: &RefAdmission) -> bool {
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
