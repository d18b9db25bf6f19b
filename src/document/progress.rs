//! How far an application of a document is, for whoever watches.

use std::fmt;
use std::sync::Arc;

/// How far an application of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgressStep {
    /// What is worked on: the plural of a kind of object.
    pub noun: &'static str,
    /// How many of them are done.
    pub done: usize,
    /// How many there are.
    pub all: usize,
}

/// The function that is told about progress, if there is one.
#[derive(Clone, Default)]
pub struct ApplyProgress(Option<Arc<dyn Fn(ProgressStep) + Send + Sync>>);

impl ApplyProgress {
    /// Tells this function.
    pub fn to(watcher: impl Fn(ProgressStep) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watcher)))
    }

    /// Says how far it is.
    pub fn tell(&self, noun: &'static str, done: usize, all: usize) {
        if let Some(watcher) = &self.0 {
            watcher(ProgressStep { noun, done, all });
        }
    }
}

impl fmt::Debug for ApplyProgress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.0.is_some() { "Progress(watched)" } else { "Progress(unwatched)" })
    }
}
