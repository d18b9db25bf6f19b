//! What jobs ask Gitaly about a repository after a push: for events and hooks, which do without where it says nothing.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::domain::default_branch::Head;
use crate::domain::repository::{GlRepository, hashed_path};
use crate::gitaly::{self, Context, Gitaly, Location, Repository};
use crate::store::pushed_projects::PushedProject;

/// What the questions about one push may take.
const BUDGET: Duration = Duration::from_secs(20);
/// Commits that a hook is told of, at most, as GitLab has it.
const COMMITS: u16 = 20;

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

impl Commit {
    /// The first line of its message.
    #[must_use]
    pub fn title(&self) -> &str {
        self.message.split(['\r', '\n']).next().unwrap_or_default()
    }
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
}

/// The repositories that were pushed to.
#[derive(Debug, Clone)]
pub struct Repositories(Gitaly);

impl Repositories {
    /// The repositories on these storages.
    #[must_use]
    pub fn new(gitaly: Gitaly) -> Self {
        Self(gitaly)
    }

    /// What the change of a ref from `old` to `new` has brought; none where Gitaly does not say. Events then count no
    /// commits, and hooks name none: neither waits for a Gitaly that is down.
    pub async fn brought(&self, project: &PushedProject, name: &str, old: &str, new: &str) -> Option<Brought> {
        if is_blank(new) {
            return Some(Brought::default());
        }
        let asked = async {
            let repository = self.open(project)?;
            let tip = repository.newest_commits(None, new, 1).await?;
            let checkout = tip.first().map(|commit| commit.id.clone());
            if name.starts_with("refs/tags/") {
                return Ok(Brought { checkout, ..Brought::default() });
            }
            // A new branch brings what the default branch does not have, and all that it has before there is one.
            let default = project.default_branch.as_ref().filter(|_| project.default_branch_born);
            let default = default.map(|name| format!("refs/heads/{name}"));
            let before = if is_blank(old) { default.filter(|default| default != name) } else { Some(old.to_owned()) };
            let total = repository.count_commits(before.as_deref(), new).await?;
            let newest = repository.newest_commits(before.as_deref(), new, COMMITS).await?;
            Ok(Brought {
                commits: newest.into_iter().rev().map(commit).collect(),
                total: i64::try_from(total).unwrap_or(i64::MAX),
                checkout,
            })
        };
        answered(asked.await, project)
    }

    /// What the repository says of its HEAD; none where Gitaly does not say.
    pub async fn head(&self, project: &PushedProject) -> Option<Head> {
        let asked = async { self.open(project)?.head().await };
        answered(asked.await, project)
    }

    /// The handle of a repository, for the length of a job.
    ///
    /// # Errors
    /// Where the settings do not name its storage.
    pub fn at(&self, location: Location, job: &'static str) -> gitaly::Result<Repository> {
        self.0.repository(location, Context::new(job, Instant::now() + BUDGET))
    }

    fn open(&self, project: &PushedProject) -> gitaly::Result<Repository> {
        let stem = if project.hashed_storage { hashed_path("@hashed", project.id.0) } else { project.path.clone() };
        let location = Location {
            storage: project.storage.clone(),
            relative_path: format!("{stem}.git"),
            gl_repository: GlRepository::Project(project.id).to_string(),
            gl_project_path: project.path.clone(),
        };
        self.0.repository(location, Context::new("post_receive", Instant::now() + BUDGET))
    }
}

fn answered<T>(answer: gitaly::Result<T>, project: &PushedProject) -> Option<T> {
    answer.inspect_err(|error| tracing::warn!(%error, project.id = project.id.0, "Gitaly said nothing of a push")).ok()
}

fn is_blank(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

fn commit(commit: gitaly::Commit) -> Commit {
    Commit {
        message: commit.message().to_owned(),
        timestamp: DateTime::from_timestamp(commit.committer.seconds, 0).unwrap_or_default(),
        id: commit.id,
        author_name: commit.author.name,
        author_email: commit.author.email,
    }
}
