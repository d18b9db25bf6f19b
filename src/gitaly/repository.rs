//! One repository within one request: what is the same in every call about it.

use std::time::Instant;

use tonic::metadata::{MetadataMap, MetadataValue};
use uuid::Uuid;

use super::call::{CallBounds, FAST, GitalyCall, MEDIUM, number};
use super::commits::text;
use super::proto;
use super::{GitalyResult, GitalyStorage};
use crate::clock::Clock;
use crate::domain::default_branch::RepositoryHead;
use crate::domain::repository::RepositoryLocation;

/// What a request brings along for every call made on its behalf.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Where the objects of a push wait; `None` where the request has no `env`.
    pub quarantine: Option<ObjectQuarantine>,
    /// The request's `relative_path`: the repository's snapshot inside a transaction of Gitaly's.
    pub transaction_path: Option<String>,
    /// The request's correlation id.
    pub correlation_id: String,
    /// One id for the request, by which Gitaly keeps its processes.
    pub session: Uuid,
    /// When the request as a whole must be answered.
    pub deadline: Instant,
}

impl CallContext {
    /// A context with a session of its own, for a request without a push.
    #[must_use]
    pub fn new(correlation_id: impl Into<String>, deadline: Instant) -> Self {
        let (correlation_id, session) = (correlation_id.into(), Uuid::new_v4());
        Self { quarantine: None, transaction_path: None, correlation_id, session, deadline }
    }
}

/// The request's `env`: where git keeps new objects until the push is accepted. Both are relative to the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectQuarantine {
    /// `GIT_OBJECT_DIRECTORY_RELATIVE`; empty where there is none.
    pub object_directory: String,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES_RELATIVE`
    pub alternates: Vec<String>,
}

/// The handle of one repository within one request. Each method is one question, asked with its own deadline, and never
/// beyond the request's.
#[derive(Debug, Clone)]
pub struct RepositoryClient {
    pub(super) storage: GitalyStorage,
    pub(super) clock: Clock,
    pub(super) metadata: MetadataMap,
    pub(super) deadline: Instant,
    message: proto::Repository,
}

impl RepositoryClient {
    pub(super) fn new(
        storage: GitalyStorage,
        clock: Clock,
        location: RepositoryLocation,
        context: CallContext,
    ) -> Self {
        let metadata = metadata(&context);
        let quarantine = context.quarantine.unwrap_or_default();
        let message = proto::Repository {
            storage_name: location.storage,
            relative_path: location.relative_path,
            git_object_directory: quarantine.object_directory,
            git_alternate_object_directories: quarantine.alternates,
            gl_repository: location.gl_repository,
            gl_project_path: location.gl_project_path,
        };
        Self { storage, clock, metadata, deadline: context.deadline, message }
    }

    /// Whether the storage has it.
    pub async fn exists(&self) -> GitalyResult<bool> {
        let call = GitalyCall::new(self, "RepositoryExists", FAST)?;
        let message = proto::RepositoryExistsRequest { repository: Some(self.message()) };
        Ok(call
            .wait(message, |request| async move { self.repositories().repository_exists(request).await })
            .await?
            .exists)
    }

    /// Makes it, empty, with a HEAD that names `default_branch`; leaves it alone where it is there. Answers whether it
    /// was made.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or cannot make it.
    pub async fn create(&self, default_branch: &str) -> GitalyResult<bool> {
        let call = GitalyCall::new(self, "CreateRepository", MEDIUM)?;
        let default_branch = default_branch.into();
        let message = proto::CreateRepositoryRequest { repository: Some(self.message()), default_branch };
        match call.wait(message, |request| async move { self.repositories().create_repository(request).await }).await {
            // Made by an earlier attempt of the same request, or by another one that won the race.
            Err(super::GitalyError::Failed(status)) if status.code() == tonic::Code::AlreadyExists => Ok(false),
            outcome => outcome.map(|_| true),
        }
    }

    /// Removes it for good. One that is not there counts as removed.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or cannot remove it.
    pub async fn remove(&self) -> GitalyResult<()> {
        let call = GitalyCall::new(self, "RemoveRepository", MEDIUM)?;
        let message = proto::RemoveRepositoryRequest { repository: Some(self.message()) };
        match call.wait(message, |request| async move { self.repositories().remove_repository(request).await }).await {
            // By an earlier attempt, or by an operator.
            Err(super::GitalyError::NotFound(_)) => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    /// Whether it has a branch. A repository without one is empty to the rules, whatever tags it has.
    pub async fn has_branches(&self) -> GitalyResult<bool> {
        let call = GitalyCall::new(self, "HasLocalBranches", FAST)?;
        let message = proto::HasLocalBranchesRequest { repository: Some(self.message()) };
        Ok(call
            .wait(message, |request| async move { self.repositories().has_local_branches(request).await })
            .await?
            .value)
    }

    /// The size of its object directory in KiB: within a quarantine, that of the push.
    pub async fn object_directory_size(&self) -> GitalyResult<u64> {
        let call = GitalyCall::new(self, "GetObjectDirectorySize", MEDIUM)?;
        let message = proto::GetObjectDirectorySizeRequest { repository: Some(self.message()) };
        let answer = call
            .wait(message, |request| async move { self.repositories().get_object_directory_size(request).await })
            .await?;
        number(answer.size)
    }

    /// The bytes of its objects, without those that nothing reaches and that housekeeping is going to remove. A push
    /// that waits in a quarantine does not count.
    pub async fn objects_size(&self) -> GitalyResult<u64> {
        let call = GitalyCall::new(self, "RepositoryInfo", MEDIUM)?;
        let message = proto::RepositoryInfoRequest { repository: Some(self.old_objects_alone()) };
        let answer =
            call.wait(message, |request| async move { self.repositories().repository_info(request).await }).await?;
        let objects = answer.objects.ok_or_else(|| {
            super::GitalyError::Failed(tonic::Status::internal(
                "RepositoryInfo says nothing of the repository's objects",
            ))
        })?;
        Ok(objects.recent_size)
    }

    /// The full name of its default branch, which need not exist; `None` where it has none.
    pub async fn default_branch(&self) -> GitalyResult<Option<Vec<u8>>> {
        self.find_default_branch_name(true).await
    }

    /// What HEAD names, and which branch stands for it.
    pub async fn head(&self) -> GitalyResult<RepositoryHead> {
        let name = |full: Option<Vec<u8>>| {
            let full = String::from_utf8_lossy(&full?).into_owned();
            full.strip_prefix("refs/heads/").map(str::to_owned)
        };
        let named = name(self.find_default_branch_name(true).await?);
        let branch = name(self.find_default_branch_name(false).await?);
        Ok(RepositoryHead { named, branch })
    }

    /// Lets HEAD name this branch.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or does not take the name.
    pub async fn write_head(&self, branch: &str) -> GitalyResult<()> {
        let call = GitalyCall::new(self, "WriteRef", FAST)?;
        let message = proto::WriteRefRequest {
            repository: Some(self.message()),
            r#ref: b"HEAD".to_vec(),
            revision: format!("refs/heads/{branch}").into_bytes(),
            old_revision: Vec::new(),
        };
        call.wait(message, |request| async move { self.repositories().write_ref(request).await }).await.map(|_| ())
    }

    async fn find_default_branch_name(&self, head_only: bool) -> GitalyResult<Option<Vec<u8>>> {
        let call = GitalyCall::new(self, "FindDefaultBranchName", FAST)?;
        let message = proto::FindDefaultBranchNameRequest { repository: Some(self.message()), head_only };
        let name = call
            .wait(message, |request| async move { self.refs().find_default_branch_name(request).await })
            .await?
            .name;
        Ok(Some(name).filter(|name| !name.is_empty()))
    }

    /// Whether it has this ref, by its full name.
    pub async fn ref_exists(&self, name: &[u8]) -> GitalyResult<bool> {
        let call = GitalyCall::new(self, "RefExists", FAST)?;
        let message = proto::RefExistsRequest { repository: Some(self.message()), r#ref: name.to_vec() };
        Ok(call.wait(message, |request| async move { self.refs().ref_exists(request).await }).await?.value)
    }

    /// The id that the tag of this name has, and its message: empty where it is not annotated. `None` where there is no
    /// such tag.
    pub async fn find_tag(&self, name: &str) -> GitalyResult<Option<(String, String)>> {
        let call = GitalyCall::new(self, "FindTag", FAST)?;
        let message = proto::FindTagRequest { repository: Some(self.message()), tag_name: name.into() };
        match call.wait(message, |request| async move { self.refs().find_tag(request).await }).await {
            Ok(answer) => Ok(answer.tag.map(|tag| (tag.id, text(tag.message)))),
            // A repository that is missing is not found either.
            Err(super::GitalyError::NotFound(status)) if status.message() == "tag does not exist" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The branches that contain the commit, without `refs/heads/`, and `limit` of them at most.
    pub async fn branches_containing(&self, commit: &str, limit: u32) -> GitalyResult<Vec<Vec<u8>>> {
        let call = GitalyCall::new(self, "ListBranchNamesContainingCommit", MEDIUM)?;
        // Gitaly takes zero for no limit at all.
        let limit = limit.max(1);
        let message = proto::ListBranchNamesContainingCommitRequest {
            repository: Some(self.message()),
            commit_id: commit.to_owned(),
            limit,
        };
        let ask = |request| async move { self.refs().list_branch_names_containing_commit(request).await };
        call.collect(message, ask, CallBounds::items(limit as usize), |page| page.branch_names).await
    }

    pub(super) fn message(&self) -> proto::Repository {
        self.message.clone()
    }

    /// Whether new objects are kept apart from those of the repository.
    pub(super) fn is_quarantined(&self) -> bool {
        !self.message.git_object_directory.is_empty()
    }

    /// The quarantine alone, without the repository's own objects.
    pub(super) fn new_objects_alone(&self) -> proto::Repository {
        proto::Repository { git_alternate_object_directories: Vec::new(), ..self.message.clone() }
    }

    /// The repository's own objects, without the quarantine.
    pub(super) fn old_objects_alone(&self) -> proto::Repository {
        proto::Repository { git_object_directory: String::new(), ..self.message.clone() }
    }
}

fn metadata(context: &CallContext) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("client_name", MetadataValue::from_static("gatehouse"));
    // An id that no header can carry is left out: it is for the log alone.
    if let Ok(id) = context.correlation_id.parse() {
        metadata.insert("x-gitlab-correlation-id", id);
    }
    if let Ok(session) = context.session.to_string().parse() {
        metadata.insert("gitaly-session-id", session);
    }
    if context.quarantine.is_some() {
        // A replica behind Praefect does not have the objects of a push yet.
        metadata.insert("gitaly-route-repository-accessor-policy", MetadataValue::from_static("primary-only"));
    }
    if let Some(path) = &context.transaction_path {
        metadata.insert_bin("relative-path-bin", MetadataValue::from_bytes(path.as_bytes()));
    }
    metadata
}
