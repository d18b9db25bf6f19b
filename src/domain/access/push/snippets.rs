//! Branches of snippets come and go with the snippet; only the very first one is pushed.

use super::{PushAnswers, PushQuestions};
use crate::domain::access::Denial;
use crate::domain::access::refs::{RefName, RefUpdate};

fn branches(updates: &[RefUpdate]) -> impl Iterator<Item = &RefUpdate> {
    updates.iter().filter(|update| matches!(update.name, RefName::Branch(_)))
}

/// Whether the repository has a branch, where one is made: the first may be.
pub(super) fn questions(updates: &[RefUpdate]) -> PushQuestions {
    let made = branches(updates).any(RefUpdate::is_creation) && !branches(updates).any(RefUpdate::is_deletion);
    PushQuestions { empty: made, ..PushQuestions::default() }
}

pub(super) fn denial(updates: &[RefUpdate], answers: &PushAnswers) -> Option<Denial> {
    let another = branches(updates).any(RefUpdate::is_creation) && (!answers.empty || branches(updates).count() > 1);
    (branches(updates).any(RefUpdate::is_deletion) || another).then_some(Denial::SnippetBranch)
}
