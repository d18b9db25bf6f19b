//! What jobs ask Gitaly about a repository after a push: for events and hooks, which do without where it says nothing.

use std::time::{Duration, Instant};

use chrono::{DateTime, FixedOffset, Offset, Utc};
use futures_util::stream::{self, StreamExt};

use crate::domain::default_branch::RepositoryHead;
use crate::domain::repository::{GlRepository, hashed_path};
use crate::gitaly::{self, CallContext, GitalyClient, PathStatus, RepositoryClient, RepositoryLocation};
use crate::store::pushed_projects::PushedProject;

/// What the questions about one push may take.
const BUDGET: Duration = Duration::from_secs(20);
/// Commits that a hook is told of, at most, as GitLab has it.
const COMMITS: u16 = 20;
/// Paths of one commit that a hook is told of, at most; of a commit that changes more it is told none.
const PATHS: usize = 50_000;
/// Commits whose paths are asked for at once.
const AT_ONCE: usize = 4;

/// What a change of a ref has brought.
#[derive(Debug, Clone, Default)]
pub struct NewCommits {
    /// The newest commits, oldest first, 20 at most; of a tag, the one that it tags.
    pub commits: Vec<gitaly::GitalyCommit>,
    /// How many there are.
    pub total: i64,
    /// The commit that the ref leads to: of a tag, what it tags.
    pub checkout: Option<String>,
    /// A tag's message, which is empty where the tag is not annotated.
    pub message: Option<String>,
}

/// The paths that a commit changes, as hooks are told of them.
#[derive(Debug, Clone, Default)]
pub struct ChangedFiles {
    /// Those that were not there.
    pub added: Vec<String>,
    /// Those whose contents, mode or kind differ.
    pub modified: Vec<String>,
    /// Those that are gone.
    pub removed: Vec<String>,
}

/// The repositories that were pushed to.
#[derive(Debug, Clone)]
pub struct PushedRepositories(GitalyClient);

impl PushedRepositories {
    /// The repositories on these storages.
    #[must_use]
    pub fn new(gitaly: GitalyClient) -> Self {
        Self(gitaly)
    }

    /// What the change of a ref from `old` to `new` has brought; none where Gitaly does not say. Events then count no
    /// commits, and hooks name none: neither waits for a Gitaly that is down.
    pub async fn brought(&self, project: &PushedProject, name: &str, old: &str, new: &str) -> Option<NewCommits> {
        if is_blank(new) {
            return Some(NewCommits::default());
        }
        let asked = async {
            let repository = self.open(project)?;
            let tip = repository.newest_commits(None, new, 1).await?;
            let checkout = tip.first().map(|commit| commit.id.clone());
            if let Some(name) = name.strip_prefix("refs/tags/") {
                // The tag may have moved on since.
                let tag = repository.find_tag(name).await?.filter(|(id, _)| id == new);
                let message = tag.map(|(_, message)| message);
                return Ok(NewCommits { total: i64::from(!tip.is_empty()), commits: tip, checkout, message });
            }
            // A new branch brings what the default branch does not have, and all that it has before there is one.
            let default = project.default_branch.as_ref().filter(|_| project.default_branch_born);
            let default = default.map(|name| format!("refs/heads/{name}"));
            let before = if is_blank(old) { default.filter(|default| default != name) } else { Some(old.to_owned()) };
            let total = repository.count_commits(before.as_deref(), new).await?;
            let newest = repository.newest_commits(before.as_deref(), new, COMMITS).await?;
            let commits = newest.into_iter().rev().collect();
            let total = i64::try_from(total).unwrap_or(i64::MAX);
            Ok(NewCommits { commits, total, checkout, message: None })
        };
        answered(asked.await, project)
    }

    /// The paths that each of the commits changes, in their order; none of a commit where Gitaly does not say.
    pub async fn changed_files(&self, project: &PushedProject, commits: &[gitaly::GitalyCommit]) -> Vec<ChangedFiles> {
        let Some(repository) = answered(self.open(project), project) else { return Vec::new() };
        let repository = &repository;
        let asked = stream::iter(commits.to_vec()).map(|commit| async move {
            let paths = answered(repository.paths_changed_by(&commit, PATHS).await, project);
            changed_files(paths.unwrap_or_default())
        });
        asked.buffered(AT_ONCE).collect().await
    }

    /// What the repository says of its HEAD; none where Gitaly does not say.
    pub async fn head(&self, project: &PushedProject) -> Option<RepositoryHead> {
        let asked = async { self.open(project)?.head().await };
        answered(asked.await, project)
    }

    /// The client that asks.
    #[must_use]
    pub fn gitaly(&self) -> &GitalyClient {
        &self.0
    }

    fn open(&self, project: &PushedProject) -> gitaly::GitalyResult<RepositoryClient> {
        let stem = if project.hashed_storage { hashed_path("@hashed", project.id.0) } else { project.path.clone() };
        let location = RepositoryLocation {
            storage: project.storage.clone(),
            relative_path: format!("{stem}.git"),
            gl_repository: GlRepository::Project(project.id).to_string(),
            gl_project_path: project.path.clone(),
        };
        self.0.repository(location, CallContext::new("post_receive", Instant::now() + BUDGET))
    }
}

fn answered<T>(answer: gitaly::GitalyResult<T>, project: &PushedProject) -> Option<T> {
    answer.inspect_err(|error| tracing::warn!(%error, project.id = project.id.0, "Gitaly said nothing of a push")).ok()
}

fn is_blank(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

fn changed_files(paths: Vec<gitaly::ChangedPath>) -> ChangedFiles {
    let mut files = ChangedFiles::default();
    for path in paths {
        let kind = match path.status {
            PathStatus::Added | PathStatus::Copied | PathStatus::Renamed => &mut files.added,
            PathStatus::Modified | PathStatus::TypeChanged => &mut files.modified,
            PathStatus::Deleted => &mut files.removed,
        };
        kind.push(String::from_utf8_lossy(&path.path).into_owned());
    }
    files
}

/// When a commit was made, by the clock of whoever made it.
#[must_use]
pub fn committed_at(commit: &gitaly::GitalyCommit) -> DateTime<FixedOffset> {
    // What no clock on earth shows is shown in UTC.
    let zone = FixedOffset::east_opt(commit.committer.utc_offset).unwrap_or_else(|| Utc.fix());
    DateTime::from_timestamp(commit.committer.seconds, 0).unwrap_or_default().with_timezone(&zone)
}
