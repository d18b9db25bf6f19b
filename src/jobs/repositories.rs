//! What jobs ask about the contents of repositories: the seam to Gitaly.

use std::fmt;
use std::pin::Pin;

use chrono::{DateTime, Utc};

use crate::store::pushed_projects::PushedProject;

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A commit, as hooks are told of it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its object id.
    pub id: String,
    /// Its whole message.
    pub message: String,
    /// When it was made.
    pub timestamp: DateTime<Utc>,
    /// Its author's name.
    pub author_name: String,
    /// Its author's address.
    pub author_email: String,
}

/// What a change of a ref has brought.
#[derive(Debug, Clone, Default)]
pub struct Brought {
    /// The newest commits, oldest first, 20 at most.
    pub commits: Vec<Commit>,
    /// How many there are.
    pub total: i64,
    /// The commit that the ref leads to: of a tag, what it tags.
    pub checkout: Option<String>,
    /// The message of an annotated tag.
    pub message: Option<String>,
}

/// Who knows the contents of repositories. `None` is no answer: events then count no commits, and name none.
pub trait PushedRepositories: fmt::Debug + Send + Sync {
    /// What the change of a ref from `old` to `new` has brought.
    fn brought<'a>(
        &'a self,
        project: &'a PushedProject,
        name: &'a str,
        old: &'a str,
        new: &'a str,
    ) -> Answer<'a, Option<Brought>>;

    /// The branch that the repository's HEAD names.
    fn default_branch<'a>(&'a self, project: &'a PushedProject) -> Answer<'a, Option<String>>;
}

/// Nobody knows.
#[derive(Debug, Clone, Copy)]
pub struct Unknown;

impl PushedRepositories for Unknown {
    fn brought<'a>(
        &'a self,
        _project: &'a PushedProject,
        _name: &'a str,
        _old: &'a str,
        _new: &'a str,
    ) -> Answer<'a, Option<Brought>> {
        Box::pin(async { None })
    }

    fn default_branch<'a>(&'a self, _project: &'a PushedProject) -> Answer<'a, Option<String>> {
        Box::pin(async { None })
    }
}
