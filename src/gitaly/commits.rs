//! What Gitaly says of commits: ancestry, those that a push brings, and the paths that they change.

use std::collections::HashSet;

use tonic::Request;

use super::call::{Bounds, Call, FAST, MEDIUM, number};
use super::proto::changed_paths::Status as ChangedStatus;
use super::proto::find_changed_paths_request::request::{CommitRequest, Type};
use super::proto::find_changed_paths_request::{MergeCommitDiffMode, Request as PathsOf};
use super::proto::{self, SignatureType};
use super::{Repository, Result};

/// Gitaly takes messages of 4 MiB at most; so many ids stay far below.
const IDS_PER_MESSAGE: usize = 20_000;
/// As many as GitLab asks for at once, where a stream takes any number of messages.
const REVISIONS_PER_MESSAGE: usize = 100;

/// A commit. Text that is not UTF-8 has replacement characters in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Its whole message; empty where that is longer than Gitaly hands out, 10 MiB.
    pub body: String,
    /// Who wrote the change.
    pub author: Person,
    /// Who made the commit.
    pub committer: Person,
    /// The ids of its parents.
    pub parent_ids: Vec<String>,
    /// How it is signed. Nobody has verified the signature.
    pub signature: Signature,
}

impl Commit {
    /// Its whole message, or the subject where that is all that Gitaly hands out.
    #[must_use]
    pub fn message(&self) -> &str {
        if self.body.is_empty() { &self.subject } else { &self.body }
    }
}

/// Somebody, as a commit names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// When, in seconds since 1970.
    pub seconds: i64,
}

/// What kind of signature a commit bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// It is not signed.
    None,
    /// PGP
    Pgp,
    /// X.509
    X509,
    /// SSH
    Ssh,
    /// A kind that came after this was written.
    Other,
}

/// A path that a commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPath {
    /// The path; for a copy or a new name, that of the copy.
    pub path: Vec<u8>,
    /// What happened to it.
    pub status: PathStatus,
    /// Its mode before, as git writes it; zero where it was not there.
    pub old_mode: u32,
    /// Its mode afterwards; zero where it is gone.
    pub new_mode: u32,
}

/// What a commit does to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathStatus {
    /// It was not there before.
    Added,
    /// Its contents or its mode differ.
    Modified,
    /// It is gone.
    Deleted,
    /// A file became a link or a submodule, or the other way round.
    TypeChanged,
    /// It was copied from another path.
    Copied,
    /// It was another path before.
    Renamed,
}

impl Repository {
    /// Whether `ancestor` is `child`, or can be reached from it. A push from the one to the other is forced where not.
    /// Gitaly says no where one of them does not exist.
    ///
    /// # Errors
    /// Where Gitaly gives no answer.
    pub async fn is_ancestor(&self, ancestor: &str, child: &str) -> Result<bool> {
        let call = Call::new(self, FAST)?;
        let message = proto::CommitIsAncestorRequest {
            repository: Some(self.message()),
            ancestor_id: ancestor.to_owned(),
            child_id: child.to_owned(),
        };
        Ok(call.wait(message, |request| async move { self.commits().commit_is_ancestor(request).await }).await?.value)
    }

    /// The commits that come with a push: within a quarantine those that it holds and the repository lacks, otherwise
    /// those that `new_ids` reach and no ref does.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or there are more than `limit`.
    pub async fn new_commits(&self, new_ids: &[&str], limit: usize) -> Result<Vec<Commit>> {
        if new_ids.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_quarantined() {
            return self.list_commits(new_ids, limit).await;
        }
        let mut commits = self.list_all_commits(limit).await?;
        // A thin pack is completed with objects that it builds on, so the quarantine also holds some that are not new.
        let old = self.list_old_objects(commits.iter().map(|commit| commit.id.as_str())).await?;
        commits.retain(|commit| !old.contains(&commit.id));
        Ok(commits)
    }

    /// How many commits `new` reaches and `old` does not; all that it reaches, where there is no `old`.
    ///
    /// # Errors
    /// Where Gitaly gives no answer.
    pub async fn count_commits(&self, old: Option<&str>, new: &str) -> Result<u64> {
        let call = Call::new(self, MEDIUM)?;
        let revision = old.map_or_else(|| new.to_owned(), |old| format!("{old}..{new}"));
        let message = proto::CountCommitsRequest { repository: Some(self.message()), revision: revision.into() };
        let answer = call.wait(message, |request| async move { self.commits().count_commits(request).await }).await?;
        number(answer.count)
    }

    /// The newest of the commits that `new` reaches and `old` does not, newest first and `limit` of them at most.
    ///
    /// # Errors
    /// Where Gitaly gives no answer.
    pub async fn newest_commits(&self, old: Option<&str>, new: &str, limit: u16) -> Result<Vec<Commit>> {
        let call = Call::new(self, MEDIUM)?;
        let revisions = [new.to_owned()].into_iter().chain(old.map(|old| format!("^{old}")));
        let message = proto::ListCommitsRequest {
            repository: Some(self.message()),
            revisions: revisions.collect(),
            pagination_params: Some(proto::PaginationParameter { limit: limit.into() }),
        };
        let ask = |request| async move { self.commits().list_commits(request).await };
        let bounds = Bounds::items(limit.into());
        call.collect(message, ask, bounds, |page| page.commits.into_iter().map(Commit::from)).await
    }

    /// The paths that these commits change, commit by commit; of a merge, those that differ from all of its parents.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or there are more than `limit`.
    pub async fn changed_paths(&self, commits: &[&str], limit: usize) -> Result<Vec<ChangedPath>> {
        let mut paths = Vec::new();
        for commits in commits.chunks(IDS_PER_MESSAGE) {
            let call = Call::new(self, MEDIUM)?;
            let of = |commit: &&str| PathsOf {
                r#type: Some(Type::CommitRequest(CommitRequest { commit_revision: (*commit).to_owned() })),
            };
            let message = proto::FindChangedPathsRequest {
                repository: Some(self.message()),
                requests: commits.iter().map(of).collect(),
                merge_commit_diff_mode: MergeCommitDiffMode::AllParents.into(),
            };
            let ask = |request| async move { self.diffs().find_changed_paths(request).await };
            let room = Bounds::items(limit - paths.len());
            let more = call.collect(message, ask, room, |page| page.paths.into_iter().map(ChangedPath::from)).await?;
            paths.extend(more);
        }
        Ok(paths)
    }

    /// Those of the objects that the repository has without the quarantine.
    pub(super) async fn list_old_objects(&self, ids: impl Iterator<Item = &str>) -> Result<HashSet<String>> {
        let ids: Vec<Vec<u8>> = ids.map(Into::into).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let call = Call::new(self, MEDIUM)?;
        let limit = ids.len();
        let mut repository = Some(self.old_objects_alone());
        let messages: Vec<_> = ids
            .chunks(REVISIONS_PER_MESSAGE)
            .map(|ids| proto::CheckObjectsExistRequest { repository: repository.take(), revisions: ids.to_vec() })
            .collect();
        let ask = |request: Request<Vec<_>>| async move {
            self.commits().check_objects_exist(request.map(tokio_stream::iter)).await
        };
        let known = call.collect(messages, ask, Bounds::items(limit), |page| page.revisions).await?;
        Ok(known.into_iter().filter(|object| object.exists).map(|object| text(object.name)).collect())
    }

    async fn list_commits(&self, new_ids: &[&str], limit: usize) -> Result<Vec<Commit>> {
        let call = Call::new(self, MEDIUM)?;
        let message = proto::ListCommitsRequest {
            repository: Some(self.message()),
            revisions: reached_by_nothing_but(new_ids),
            pagination_params: Some(one_more_than(limit)),
        };
        let ask = |request| async move { self.commits().list_commits(request).await };
        call.collect(message, ask, Bounds::items(limit), |page| page.commits.into_iter().map(Commit::from)).await
    }

    async fn list_all_commits(&self, limit: usize) -> Result<Vec<Commit>> {
        let call = Call::new(self, MEDIUM)?;
        let message = proto::ListAllCommitsRequest {
            repository: Some(self.new_objects_alone()),
            pagination_params: Some(one_more_than(limit)),
        };
        let ask = |request| async move { self.commits().list_all_commits(request).await };
        call.collect(message, ask, Bounds::items(limit), |page| page.commits.into_iter().map(Commit::from)).await
    }
}

/// The revisions that mean: what these ids reach, and no ref does.
pub(super) fn reached_by_nothing_but(new_ids: &[&str]) -> Vec<String> {
    new_ids.iter().chain(&["--not", "--all"]).map(|revision| (*revision).to_owned()).collect()
}

/// So many that the one too many shows.
fn one_more_than(limit: usize) -> proto::PaginationParameter {
    proto::PaginationParameter { limit: limit.saturating_add(1).try_into().unwrap_or(i32::MAX) }
}

pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl From<proto::GitCommit> for Commit {
    fn from(commit: proto::GitCommit) -> Self {
        let signature = match SignatureType::try_from(commit.signature_type) {
            Ok(SignatureType::None) => Signature::None,
            Ok(SignatureType::Pgp) => Signature::Pgp,
            Ok(SignatureType::X509) => Signature::X509,
            Ok(SignatureType::Ssh) => Signature::Ssh,
            Err(_) => Signature::Other,
        };
        Self {
            id: commit.id,
            subject: text(commit.subject),
            body: text(commit.body),
            author: commit.author.unwrap_or_default().into(),
            committer: commit.committer.unwrap_or_default().into(),
            parent_ids: commit.parent_ids,
            signature,
        }
    }
}

impl From<proto::CommitAuthor> for Person {
    fn from(person: proto::CommitAuthor) -> Self {
        let seconds = person.date.unwrap_or_default().seconds;
        Self { name: text(person.name), email: text(person.email), seconds }
    }
}

impl From<proto::ChangedPaths> for ChangedPath {
    fn from(changed: proto::ChangedPaths) -> Self {
        let status = match ChangedStatus::try_from(changed.status) {
            Ok(ChangedStatus::Added) => PathStatus::Added,
            // What is unknown is at least a change.
            Ok(ChangedStatus::Modified) | Err(_) => PathStatus::Modified,
            Ok(ChangedStatus::Deleted) => PathStatus::Deleted,
            Ok(ChangedStatus::TypeChange) => PathStatus::TypeChanged,
            Ok(ChangedStatus::Copied) => PathStatus::Copied,
            Ok(ChangedStatus::Renamed) => PathStatus::Renamed,
        };
        let mode = |mode: i32| mode.try_into().unwrap_or_default();
        Self { path: changed.path, status, old_mode: mode(changed.old_mode), new_mode: mode(changed.new_mode) }
    }
}
