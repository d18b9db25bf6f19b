//! What is wrong with a document, and where.

use std::fmt;

/// One thing wrong with a document: where, why, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The place as a person would write it: `projects[2].members.dana`. Empty for the document itself.
    pub place: String,
    /// What is wrong, without the value that was given: it may be a secret.
    pub reason: String,
}

impl Problem {
    /// A problem at `place`.
    pub fn new(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { place: place.into(), reason: reason.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() { out.write_str(&self.reason) } else { write!(out, "{}: {}", self.place, self.reason) }
    }
}
