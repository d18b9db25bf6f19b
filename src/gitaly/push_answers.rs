//! Answers to what the rules of a push ask about its repository: every question once, and none that was not asked.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Instant;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::{GitalyResult, PathStatus, RepositoryClient};
use crate::domain::access::content::{self, PushContent, PushedCommit};
use crate::domain::access::push::{PushAnswers, PushQuestions};
use crate::domain::access::refs::ObjectId;

/// Questions of a kind that are under way at once.
const AT_ONCE: usize = 8;
/// New commits that rules look at, at most.
const COMMITS: usize = 100_000;
/// Files that new commits add, at most.
const FILES: usize = 500_000;
/// LFS pointers that are looked at, as GitLab does.
const POINTERS: u16 = 2000;
/// Too large files that are listed; the first is named.
const LARGE_FILES: usize = 1000;
/// Branches that contain a commit, at most.
const BRANCHES: u32 = 1000;

/// What was asked in which order, and how long it took: what a user is shown when the time is over.
#[derive(Debug, Default)]
pub struct CheckSteps(Vec<String>);

impl fmt::Display for CheckSteps {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join("\n"))
    }
}

impl CheckSteps {
    /// Notes a line.
    pub fn note(&mut self, line: String) {
        self.0.push(line);
    }

    async fn timed<T>(&mut self, text: &str, work: impl Future<Output = GitalyResult<T>>) -> GitalyResult<T> {
        let started = Instant::now();
        let outcome = work.await;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        let how = if outcome.is_ok() { "" } else { "cancelled after " };
        self.note(format!("{text} ({how}{millis:.2}ms)"));
        outcome
    }
}

impl RepositoryClient {
    /// The answers to the questions about a push whose refs are to name `new_ids`, and the LFS objects that its
    /// pointers point to. What only the database knows is left as it is by default.
    pub async fn answer(
        &self,
        questions: &PushQuestions,
        new_ids: &[ObjectId],
        steps: &mut CheckSteps,
    ) -> GitalyResult<(PushAnswers, Vec<String>)> {
        let mut answers = PushAnswers::default();
        if questions.empty {
            let work = self.has_branches();
            answers.empty = !steps.timed("Checking if the repository has a branch...", work).await?;
        }
        if questions.default_branch {
            let name = steps.timed("Checking if default branch is being deleted...", self.default_branch()).await?;
            let name = name.map(|name| String::from_utf8_lossy(&name).into_owned());
            answers.default_branch = name.map(|name| name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned());
        }
        if !questions.ancestry.is_empty() {
            let work = self.diverged(&questions.ancestry);
            answers.diverged = steps.timed("Checking if you are force pushing to a protected branch...", work).await?;
        }
        if !questions.containing.is_empty() {
            let work = self.containing(&questions.containing);
            answers.containing =
                steps.timed("Checking if you are allowed to create a protected branch...", work).await?;
        }
        let (content, pointers) = self.content(&questions.content, new_ids, steps).await?;
        answers.content = content;
        Ok((answers, pointers))
    }

    async fn diverged(&self, pairs: &BTreeSet<(ObjectId, ObjectId)>) -> GitalyResult<BTreeSet<(ObjectId, ObjectId)>> {
        let asked = stream::iter(pairs.clone()).map(|(old, new)| async move {
            let ancestor = self.is_ancestor(old.as_str(), new.as_str()).await?;
            Ok((!ancestor).then_some((old, new)))
        });
        asked.buffer_unordered(AT_ONCE).try_filter_map(|pair| async { Ok(pair) }).try_collect().await
    }

    async fn containing(&self, commits: &BTreeSet<ObjectId>) -> GitalyResult<HashMap<ObjectId, Vec<String>>> {
        let asked = stream::iter(commits.clone()).map(|commit| async move {
            let branches = self.branches_containing(commit.as_str(), BRANCHES).await?;
            let names = branches.iter().map(|name| {
                let name = String::from_utf8_lossy(name);
                name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned()
            });
            Ok((commit, names.collect()))
        });
        asked.buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn content(
        &self,
        questions: &content::ContentQuestions,
        new_ids: &[ObjectId],
        steps: &mut CheckSteps,
    ) -> GitalyResult<(PushContent, Vec<String>)> {
        let new_ids: Vec<&str> = new_ids.iter().map(ObjectId::as_str).collect();
        let mut content = PushContent::default();
        if questions.commits {
            let commits = steps.timed("Listing the new commits...", self.new_commits(&new_ids, COMMITS)).await?;
            if questions.added_files || questions.changed_files {
                let work = self.changed_paths(&commits, FILES);
                let paths = steps.timed("Listing the files they change...", work).await?;
                if questions.changed_files {
                    content.changed_files = paths.iter().map(|path| lossy(&path.path)).collect();
                }
                let added = paths.into_iter().filter(|path| path.status == PathStatus::Added);
                content.added_files = added.map(|path| lossy(&path.path)).collect();
            }
            content.commits = commits.into_iter().filter_map(commit).collect();
        }
        if let Some(bytes) = questions.files_above {
            let work = self.new_blobs(&new_ids, bytes + 1, LARGE_FILES);
            let blobs = steps.timed("Checking the sizes of new files...", work).await?;
            content.large_files =
                blobs.into_iter().map(|blob| blob.path.as_deref().map_or(blob.id.clone(), lossy)).collect();
        }
        let mut pointers = Vec::new();
        if questions.lfs_pointers {
            let text =
                "Scanning repository for blobs stored in LFS and verifying their files have been uploaded to GitLab...";
            pointers = steps.timed(text, self.lfs_pointers(&new_ids, POINTERS)).await?;
        }
        if questions.size {
            content.size = steps.timed("Measuring the push...", self.push_size(&new_ids)).await?;
        }
        if questions.repository_size {
            content.repository_size = steps.timed("Measuring the repository...", self.objects_size()).await?;
        }
        Ok((content, pointers.into_iter().map(|pointer| pointer.oid).collect()))
    }
}

impl RepositoryClient {
    /// The bytes that a push brings: what its quarantine takes, or where there is none, the new files.
    async fn push_size(&self, new_ids: &[&str]) -> GitalyResult<u64> {
        if self.is_quarantined() {
            return Ok(self.object_directory_size().await?.saturating_mul(1024));
        }
        let blobs = self.new_blobs(new_ids, 0, FILES).await?;
        Ok(blobs.iter().map(|blob| blob.size).fold(0, u64::saturating_add))
    }
}

fn commit(commit: super::GitalyCommit) -> Option<(ObjectId, PushedCommit)> {
    let facts = PushedCommit {
        message: commit.message().to_owned(),
        author_name: commit.author.name,
        author_email: commit.author.email,
        committer_email: commit.committer.email,
        parents: commit.parent_ids.iter().filter_map(|id| ObjectId::parse(id)).collect(),
        signed: commit.signature != super::CommitSignature::None,
    };
    Some((ObjectId::parse(&commit.id)?, facts))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
