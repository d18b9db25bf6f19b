//! Places in a document, as people write them.

use std::fmt;

/// A place in the document, as a person would write it: `projects[2].members.dana`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentPlace(String);

impl DocumentPlace {
    /// A key of the document itself.
    #[must_use]
    pub fn root(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// A key below this place.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        Self(format!("{self}.{key}"))
    }

    /// An entry of the list at this place.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{self}[{index}]"))
    }
}

impl fmt::Display for DocumentPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
