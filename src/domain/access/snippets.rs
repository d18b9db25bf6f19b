//! May the user read a snippet, or push to it?

use super::denial::Denial;
use super::facts::{AccessActor, AccessFacts, AccessProject, AccessSnippet, AccessUser};
use super::sees;
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};

/// 2.3 of a snippet
pub(super) fn may_read_snippet(facts: &AccessFacts) -> bool {
    if matches!(facts.actor(), AccessActor::Nobody) {
        return is_open_snippet(facts);
    }
    let Some((snippet, user)) = snippet_and_user(facts) else { return false };
    let member = facts.project.as_ref().is_some_and(|project| project.level >= AccessLevel::GUEST);
    let seen = user.admin || user.auditor || snippet.author == user.id || member || sees(user, snippet.visibility);
    seen && may_use_snippets(facts, user)
}

/// Whether anybody may read it, a stranger too.
pub(super) fn is_open_snippet(facts: &AccessFacts) -> bool {
    let snippet = facts.container.as_ref().and_then(|container| container.snippet.as_ref());
    let open = snippet.is_some_and(|snippet| snippet.visibility == VisibilityLevel::Public);
    let shown = |project: &AccessProject| {
        let public = project.visibility == VisibilityLevel::Public && !project.hidden;
        public && project.snippets_level == FeatureLevel::Enabled
    };
    open && facts.project.as_ref().is_none_or(shown)
}

/// Whether the project lets the user see any of its snippets; of a personal one there is nobody to ask.
fn may_use_snippets(facts: &AccessFacts, user: &AccessUser) -> bool {
    let Some(project) = &facts.project else { return true };
    match project.snippets_level {
        FeatureLevel::Disabled => false,
        FeatureLevel::Private => user.admin || user.auditor || project.level >= AccessLevel::GUEST,
        FeatureLevel::Enabled => true,
    }
}

fn snippet_and_user(facts: &AccessFacts) -> Option<(&AccessSnippet, &AccessUser)> {
    let snippet = facts.container.as_ref()?.snippet.as_ref()?;
    match facts.actor() {
        AccessActor::User(user) => Some((snippet, user)),
        AccessActor::DeployKey(_) | AccessActor::DeployToken(_) | AccessActor::Nobody => None,
    }
}

/// P1 with the snippet's own column
pub(super) fn frozen_snippet(facts: &AccessFacts) -> Option<Denial> {
    let (snippet, _) = snippet_and_user(facts)?;
    snippet.repository_read_only.then_some(Denial::RepositoryReadOnly)
}

/// P8
pub(super) fn unwritable_snippet(facts: &AccessFacts) -> Option<Denial> {
    let Some((snippet, user)) = snippet_and_user(facts) else { return Some(Denial::MayNotUpdateSnippet) };
    let maintains = facts.project.as_ref().is_some_and(|project| project.level >= AccessLevel::MAINTAINER);
    let may = user.admin || maintains || snippet.author == user.id;
    (!(may && may_use_snippets(facts, user))).then_some(Denial::MayNotUpdateSnippet)
}
