//! What Gitaly says of commits: ancestry, those that a push brings, and the paths that they change.

use std::collections::HashSet;

use tonic::Request;

use super::call::{CallBounds, FAST, GitalyCall, MEDIUM, number};
use super::proto::changed_paths::Status as ChangedStatus;
use super::proto::find_changed_paths_request::request::{CommitRequest, TreeRequest, Type};
use super::proto::find_changed_paths_request::{MergeCommitDiffMode, Request as PathsOf};
use super::proto::{self, SignatureType};
use super::{GitalyResult, RepositoryClient};

/// Gitaly takes messages of 4 MiB at most; so many ids stay far below.
const IDS_PER_MESSAGE: usize = 20_000;
/// As many as GitLab asks for at once, where a stream takes any number of messages.
const REVISIONS_PER_MESSAGE: usize = 100;

/// A commit. Text that is not UTF-8 has replacement characters in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitalyCommit {
    /// Its id.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// Its whole message; empty where that is longer than Gitaly hands out, 10 MiB.
    pub body: String,
    /// Who wrote the change.
    pub author: CommitPerson,
    /// Who made the commit.
    pub committer: CommitPerson,
    /// The ids of its parents.
    pub parent_ids: Vec<String>,
    /// How it is signed. Nobody has verified the signature.
    pub signature: CommitSignature,
}

impl GitalyCommit {
    /// Its whole message, or the subject where that is all that Gitaly hands out.
    #[must_use]
    pub fn message(&self) -> &str {
        if self.body.is_empty() { &self.subject } else { &self.body }
    }
}

/// Somebody, as a commit names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitPerson {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// When, in seconds since 1970.
    pub seconds: i64,
    /// Where: the seconds that their clock was ahead of UTC.
    pub utc_offset: i32,
}

/// What kind of signature a commit bears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitSignature {
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

impl RepositoryClient {
    /// Whether `ancestor` is `child`, or can be reached from it. A push from the one to the other is forced where not.
    /// Gitaly says no where one of them does not exist.
    pub async fn is_ancestor(&self, ancestor: &str, child: &str) -> GitalyResult<bool> {
        let call = GitalyCall::new(self, "CommitIsAncestor", FAST)?;
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
    pub async fn new_commits(&self, new_ids: &[&str], limit: usize) -> GitalyResult<Vec<GitalyCommit>> {
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
    pub async fn count_commits(&self, old: Option<&str>, new: &str) -> GitalyResult<u64> {
        let call = GitalyCall::new(self, "CountCommits", MEDIUM)?;
        let revision = old.map_or_else(|| new.to_owned(), |old| format!("{old}..{new}"));
        let message = proto::CountCommitsRequest { repository: Some(self.message()), revision: revision.into() };
        let answer = call.wait(message, |request| async move { self.commits().count_commits(request).await }).await?;
        number(answer.count)
    }

    /// The newest of the commits that `new` reaches and `old` does not, newest first and `limit` of them at most.
    pub async fn newest_commits(&self, old: Option<&str>, new: &str, limit: u16) -> GitalyResult<Vec<GitalyCommit>> {
        let call = GitalyCall::new(self, "ListCommits", MEDIUM)?;
        let revisions = [new.to_owned()].into_iter().chain(old.map(|old| format!("^{old}")));
        let message = proto::ListCommitsRequest {
            repository: Some(self.message()),
            revisions: revisions.collect(),
            pagination_params: Some(proto::PaginationParameter { limit: limit.into() }),
        };
        let ask = |request| async move { self.commits().list_commits(request).await };
        let bounds = CallBounds::items(limit.into());
        call.collect(message, ask, bounds, |page| page.commits.into_iter().map(GitalyCommit::from)).await
    }

    /// The paths that these commits change, commit by commit; of a merge, those that differ from all of its parents.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or there are more than `limit`.
    pub async fn changed_paths(&self, commits: &[GitalyCommit], limit: usize) -> GitalyResult<Vec<ChangedPath>> {
        let mut paths = Vec::new();
        for commits in commits.chunks(IDS_PER_MESSAGE) {
            let of = |commit: &GitalyCommit| match &commit.parent_ids[..] {
                [] => of_trees(empty_tree(&commit.id), &commit.id),
                _ => {
                    PathsOf { r#type: Some(Type::CommitRequest(CommitRequest { commit_revision: commit.id.clone() })) }
                }
            };
            paths.extend(self.find_changed_paths(commits.iter().map(of).collect(), limit - paths.len()).await?);
        }
        Ok(paths)
    }

    /// The paths that a commit changes; of a merge, those that it brings to its first parent.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or there are more than `limit`.
    pub async fn paths_changed_by(&self, commit: &GitalyCommit, limit: usize) -> GitalyResult<Vec<ChangedPath>> {
        let parent = commit.parent_ids.first().map_or_else(|| empty_tree(&commit.id), String::as_str);
        self.find_changed_paths(vec![of_trees(parent, &commit.id)], limit).await
    }

    async fn find_changed_paths(&self, requests: Vec<PathsOf>, limit: usize) -> GitalyResult<Vec<ChangedPath>> {
        let call = GitalyCall::new(self, "FindChangedPaths", MEDIUM)?;
        let message = proto::FindChangedPathsRequest {
            repository: Some(self.message()),
            requests,
            merge_commit_diff_mode: MergeCommitDiffMode::AllParents.into(),
        };
        let ask = |request| async move { self.diffs().find_changed_paths(request).await };
        call.collect(message, ask, CallBounds::items(limit), |page| page.paths.into_iter().map(ChangedPath::from)).await
    }

    /// Those of the objects that the repository has without the quarantine.
    pub(super) async fn list_old_objects(&self, ids: impl Iterator<Item = &str>) -> GitalyResult<HashSet<String>> {
        let ids: Vec<Vec<u8>> = ids.map(Into::into).collect();
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let call = GitalyCall::new(self, "CheckObjectsExist", MEDIUM)?;
        let limit = ids.len();
        let mut repository = Some(self.old_objects_alone());
        let messages: Vec<_> = ids
            .chunks(REVISIONS_PER_MESSAGE)
            .map(|ids| proto::CheckObjectsExistRequest { repository: repository.take(), revisions: ids.to_vec() })
            .collect();
        let ask = |request: Request<Vec<_>>| async move {
            self.commits().check_objects_exist(request.map(tokio_stream::iter)).await
        };
        let known = call.collect(messages, ask, CallBounds::items(limit), |page| page.revisions).await?;
        Ok(known.into_iter().filter(|object| object.exists).map(|object| text(object.name)).collect())
    }

    async fn list_commits(&self, new_ids: &[&str], limit: usize) -> GitalyResult<Vec<GitalyCommit>> {
        let call = GitalyCall::new(self, "ListCommits", MEDIUM)?;
        let message = proto::ListCommitsRequest {
            repository: Some(self.message()),
            revisions: reached_by_nothing_but(new_ids),
            pagination_params: Some(one_more_than(limit)),
        };
        let ask = |request| async move { self.commits().list_commits(request).await };
        call.collect(message, ask, CallBounds::items(limit), |page| page.commits.into_iter().map(GitalyCommit::from))
            .await
    }

    async fn list_all_commits(&self, limit: usize) -> GitalyResult<Vec<GitalyCommit>> {
        let call = GitalyCall::new(self, "ListAllCommits", MEDIUM)?;
        let message = proto::ListAllCommitsRequest {
            repository: Some(self.new_objects_alone()),
            pagination_params: Some(one_more_than(limit)),
        };
        let ask = |request| async move { self.commits().list_all_commits(request).await };
        call.collect(message, ask, CallBounds::items(limit), |page| page.commits.into_iter().map(GitalyCommit::from))
            .await
    }
}

fn of_trees(left: &str, right: &str) -> PathsOf {
    let trees = TreeRequest { left_tree_revision: left.to_owned(), right_tree_revision: right.to_owned() };
    PathsOf { r#type: Some(Type::TreeRequest(trees)) }
}

/// The tree without entries, which every repository has, in the object format of this id.
fn empty_tree(id: &str) -> &'static str {
    match id.len() {
        64 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        _ => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    }
}

/// The seconds of `+0530`; none of what is no zone.
fn utc_offset(zone: &[u8]) -> i32 {
    let (sign, digits) = match zone {
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return 0,
    };
    match digits.iter().map(|digit| i32::from(digit.wrapping_sub(b'0'))).collect::<Vec<_>>()[..] {
        [h1 @ 0..=9, h2 @ 0..=9, m1 @ 0..=5, m2 @ 0..=9] => sign * ((h1 * 10 + h2) * 3600 + (m1 * 10 + m2) * 60),
        _ => 0,
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

impl From<proto::GitCommit> for GitalyCommit {
    fn from(commit: proto::GitCommit) -> Self {
        let signature = match SignatureType::try_from(commit.signature_type) {
            Ok(SignatureType::None) => CommitSignature::None,
            Ok(SignatureType::Pgp) => CommitSignature::Pgp,
            Ok(SignatureType::X509) => CommitSignature::X509,
            Ok(SignatureType::Ssh) => CommitSignature::Ssh,
            Err(_) => CommitSignature::Other,
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

impl From<proto::CommitAuthor> for CommitPerson {
    fn from(person: proto::CommitAuthor) -> Self {
        let seconds = person.date.unwrap_or_default().seconds;
        let utc_offset = utc_offset(&person.timezone);
        Self { name: text(person.name), email: text(person.email), seconds, utc_offset }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_read_as_git_writes_them() {
        for (zone, expected) in [
            ("+0000", 0),
            ("+0200", 7200),
            ("-0330", -12_600),
            ("+1345", 49_500),
            ("", 0),
            ("+2", 0),
            ("+0060", 0),
            ("CEST", 0),
        ] {
            assert_eq!(utc_offset(zone.as_bytes()), expected, "{zone}");
        }
    }
}
