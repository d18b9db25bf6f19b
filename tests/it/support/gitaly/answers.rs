//! The answers of the tests' Gitaly: each one is a run of git in the repository, quarantine included.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Request, Response, Status, Streaming};

use super::State;
use super::proto::blob_service_server::{BlobService, BlobServiceServer};
use super::proto::check_objects_exist_response::RevisionExistence;
use super::proto::commit_service_server::{CommitService, CommitServiceServer};
use super::proto::diff_service_server::{DiffService, DiffServiceServer};
use super::proto::find_changed_paths_request::request::Type;
use super::proto::ref_service_server::{RefService, RefServiceServer};
use super::proto::repository_service_server::{RepositoryService, RepositoryServiceServer};
use super::proto::server_service_server::{ServerService, ServerServiceServer};
use super::proto::*;
use crate::support::git::Git;

/// As few as make a stream of several messages out of a small answer.
const PER_PAGE: usize = 3;

#[derive(Clone)]
pub struct Answers(pub Arc<State>);

type Pages<M> = tokio_stream::Iter<std::vec::IntoIter<Result<M, Status>>>;

impl Answers {
    pub fn router(self, mut server: Server) -> Router {
        server
            .add_service(ServerServiceServer::new(self.clone()))
            .add_service(RepositoryServiceServer::new(self.clone()))
            .add_service(RefServiceServer::new(self.clone()))
            .add_service(CommitServiceServer::new(self.clone()))
            .add_service(DiffServiceServer::new(self.clone()))
            .add_service(BlobServiceServer::new(self))
    }

    async fn begin<M>(
        &self,
        method: &'static str,
        request: Request<M>,
        repository: impl Fn(&M) -> &Option<Repository>,
    ) -> Result<(Objects, M), Status> {
        let (metadata, _, message) = request.into_parts();
        let repository = repository(&message).clone();
        let path = self.0.begin(method, &metadata, repository.as_ref()).await?;
        Ok((Objects { path, repository: repository.unwrap_or_default() }, message))
    }
}

/// A repository with the objects that a call is to see.
struct Objects {
    path: PathBuf,
    repository: Repository,
}

/// What `git cat-file` says of an object.
struct Object {
    id: String,
    kind: String,
    size: i64,
}

impl Objects {
    fn git<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Git, Status> {
        if !self.path.join("objects").is_dir() {
            return Err(Status::not_found("repository not found"));
        }
        let mut git = Git::new(&self.path, arguments);
        let (own, alternates) =
            (&self.repository.git_object_directory, &self.repository.git_alternate_object_directories);
        if !own.is_empty() {
            git = git.env("GIT_OBJECT_DIRECTORY", self.path.join(own));
        }
        if !alternates.is_empty() {
            let folders: Vec<_> = alternates.iter().map(|folder| self.path.join(folder)).collect();
            git = git.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", std::env::join_paths(folders).unwrap());
        }
        Ok(git)
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<Vec<u8>, Status> {
        self.git(arguments)?.attempt(input.as_bytes()).map_err(Status::internal)
    }

    fn lines(&self, arguments: &[&str], input: &str) -> Result<Vec<String>, Status> {
        let output = self.run(arguments, input)?;
        Ok(String::from_utf8_lossy(&output).lines().map(str::to_owned).collect())
    }

    fn succeeds(&self, arguments: &[&str]) -> Result<bool, Status> {
        Ok(self.git(arguments)?.attempt(b"").is_ok())
    }

    fn all(&self) -> Result<Vec<Object>, Status> {
        let lines = self.lines(&["cat-file", "--batch-check", "--batch-all-objects", "--unordered"], "")?;
        Ok(lines.iter().filter_map(|line| object(line)).collect())
    }

    fn rev_list(&self, options: &[&str], revisions: &[String]) -> Result<Vec<String>, Status> {
        let revisions = revisions.iter().map(String::as_str);
        let arguments: Vec<_> = ["rev-list"].into_iter().chain(options.iter().copied()).chain(revisions).collect();
        self.lines(&arguments, "")
    }

    /// The objects that the revisions reach, with a path where git names one.
    fn reached(&self, revisions: &[String]) -> Result<Vec<(Object, String)>, Status> {
        let lines = self.rev_list(&["--objects"], revisions)?;
        let paths: HashMap<&str, &str> = lines.iter().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
        let ids = joined(&lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>());
        let objects = self.lines(&["cat-file", "--batch-check"], &ids)?;
        let objects = objects.iter().filter_map(|line| object(line));
        Ok(objects
            .map(|object| (paths[object.id.as_str()].to_owned(), object))
            .map(|(path, object)| (object, path))
            .collect())
    }

    fn commit(&self, id: &str) -> Result<GitCommit, Status> {
        let raw = self.run(&["cat-file", "commit", id], "")?;
        let end = raw.windows(2).position(|pair| pair == b"\n\n").unwrap_or(raw.len());
        let (head, body) = (String::from_utf8_lossy(&raw[..end]).into_owned(), raw.get(end + 2..).unwrap_or_default());
        let values = |key: &str| {
            let key = format!("{key} ");
            head.lines().filter_map(|line| line.strip_prefix(&key).map(str::to_owned)).collect::<Vec<_>>()
        };
        let signature = match values("gpgsig").first().map_or("", String::as_str) {
            "" => SignatureType::None,
            "-----BEGIN SSH SIGNATURE-----" => SignatureType::Ssh,
            "-----BEGIN SIGNED MESSAGE-----" => SignatureType::X509,
            _ => SignatureType::Pgp,
        };
        Ok(GitCommit {
            id: id.to_owned(),
            subject: body.split(|byte| *byte == b'\n').next().unwrap_or_default().to_vec(),
            body: body.to_vec(),
            author: values("author").first().map(|line| person(line)),
            committer: values("committer").first().map(|line| person(line)),
            parent_ids: values("parent"),
            body_size: body.len().try_into().unwrap(),
            signature_type: signature.into(),
        })
    }

    fn lfs_pointers(&self, blobs: impl Iterator<Item = Object>, limit: i32) -> Result<Vec<LfsPointer>, Status> {
        let mut pointers = Vec::new();
        for blob in blobs.filter(|object| object.kind == "blob" && object.size <= 200) {
            let data = self.run(&["cat-file", "blob", &blob.id], "")?;
            if data.starts_with(b"version https://git-lfs.github.com/spec") {
                pointers.push(LfsPointer { size: blob.size, data, oid: blob.id });
            }
        }
        pointers.truncate(if limit == 0 { usize::MAX } else { limit.try_into().unwrap() });
        Ok(pointers)
    }
}

/// The bytes of all files below a folder.
fn bytes(folder: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(folder)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        let metadata = entry.metadata()?;
        Ok(sum + if metadata.is_dir() { bytes(&entry.path())? } else { metadata.len() })
    })
}

fn object(line: &str) -> Option<Object> {
    let parts: Vec<_> = line.split(' ').collect();
    let [id, kind, size] = parts[..] else { return None };
    Some(Object { id: id.to_owned(), kind: kind.to_owned(), size: size.parse().ok()? })
}

/// `Dana <dana@example.com> 1700000000 +0000`
fn person(line: &str) -> CommitAuthor {
    let (name, rest) = line.split_once(" <").unwrap();
    let (email, when) = rest.split_once("> ").unwrap();
    let (seconds, timezone) = when.split_once(' ').unwrap();
    let date = Some(Date { seconds: seconds.parse().unwrap() });
    CommitAuthor { name: name.into(), email: email.into(), date, timezone: timezone.into() }
}

fn joined(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |all, line| all + line + "\n")
}

fn pages<T: Clone, M>(items: impl IntoIterator<Item = T>, page: impl Fn(Vec<T>) -> M) -> Response<Pages<M>> {
    let items: Vec<_> = items.into_iter().collect();
    let pages: Vec<_> = items.chunks(PER_PAGE).map(|items| Ok(page(items.to_vec()))).collect();
    Response::new(tokio_stream::iter(pages))
}

fn limited<T>(mut items: Vec<T>, pagination: Option<PaginationParameter>) -> Vec<T> {
    let limit = pagination.map_or(0, |pagination| pagination.limit);
    items.truncate(if limit == 0 { usize::MAX } else { limit.try_into().unwrap() });
    items
}

#[tonic::async_trait]
impl ServerService for Answers {
    async fn server_info(&self, request: Request<ServerInfoRequest>) -> Result<Response<ServerInfoResponse>, Status> {
        self.0.enter("ServerInfo", request.metadata(), Repository::default()).await?;
        let storage = server_info_response::StorageStatus {
            storage_name: "default".to_owned(),
            readable: true,
            writeable: !self.0.storage.join("read-only").exists(),
        };
        Ok(Response::new(ServerInfoResponse {
            server_version: "16.8.0".to_owned(),
            git_version: "2.43.0".to_owned(),
            storage_statuses: vec![storage],
        }))
    }
}

#[tonic::async_trait]
impl RepositoryService for Answers {
    async fn repository_exists(
        &self,
        request: Request<RepositoryExistsRequest>,
    ) -> Result<Response<RepositoryExistsResponse>, Status> {
        let (objects, _) = self.begin("RepositoryExists", request, |message| &message.repository).await?;
        Ok(Response::new(RepositoryExistsResponse { exists: objects.path.join("objects").is_dir() }))
    }

    async fn create_repository(
        &self,
        request: Request<CreateRepositoryRequest>,
    ) -> Result<Response<CreateRepositoryResponse>, Status> {
        let (objects, message) = self.begin("CreateRepository", request, |message| &message.repository).await?;
        if objects.path.exists() {
            return Err(Status::already_exists("repository exists already"));
        }
        std::fs::create_dir_all(&objects.path)?;
        let branch = String::from_utf8(message.default_branch).unwrap();
        let branch = if branch.is_empty() { "main" } else { &branch };
        let branch = format!("--initial-branch={branch}");
        Git::new(&objects.path, ["init", "--quiet", "--bare", &branch]).attempt(b"").map_err(Status::internal)?;
        Ok(Response::new(CreateRepositoryResponse {}))
    }

    async fn remove_repository(
        &self,
        request: Request<RemoveRepositoryRequest>,
    ) -> Result<Response<RemoveRepositoryResponse>, Status> {
        let (objects, _) = self.begin("RemoveRepository", request, |message| &message.repository).await?;
        if !objects.path.exists() {
            return Err(Status::not_found("repository does not exist"));
        }
        std::fs::remove_dir_all(&objects.path)?;
        Ok(Response::new(RemoveRepositoryResponse {}))
    }

    async fn has_local_branches(
        &self,
        request: Request<HasLocalBranchesRequest>,
    ) -> Result<Response<HasLocalBranchesResponse>, Status> {
        let (objects, _) = self.begin("HasLocalBranches", request, |message| &message.repository).await?;
        let branches = objects.run(&["for-each-ref", "--count=1", "refs/heads"], "")?;
        Ok(Response::new(HasLocalBranchesResponse { value: !branches.is_empty() }))
    }

    async fn repository_info(
        &self,
        request: Request<RepositoryInfoRequest>,
    ) -> Result<Response<RepositoryInfoResponse>, Status> {
        let (objects, _) = self.begin("RepositoryInfo", request, |message| &message.repository).await?;
        objects.run(&["rev-parse", "--git-dir"], "")?;
        let mut size = bytes(&objects.path.join("objects"))?;
        // Pushes that wait are not among the repository's objects.
        for entry in std::fs::read_dir(objects.path.join("objects"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("tmp_objdir-") {
                size -= bytes(&entry.path())?;
            }
        }
        // Nothing of what tests keep is old enough to be stale.
        let objects_info =
            repository_info_response::ObjectsInfo { size, recent_size: size, stale_size: 0, keep_size: 0 };
        Ok(Response::new(RepositoryInfoResponse { size: bytes(&objects.path)?, objects: Some(objects_info) }))
    }

    async fn write_ref(&self, request: Request<WriteRefRequest>) -> Result<Response<WriteRefResponse>, Status> {
        let (objects, message) = self.begin("WriteRef", request, |message| &message.repository).await?;
        if message.r#ref != b"HEAD" {
            return Err(Status::unimplemented("another ref than HEAD"));
        }
        let name = String::from_utf8(message.revision).unwrap();
        objects.run(&["symbolic-ref", "HEAD", &name], "")?;
        Ok(Response::new(WriteRefResponse {}))
    }

    async fn get_object_directory_size(
        &self,
        request: Request<GetObjectDirectorySizeRequest>,
    ) -> Result<Response<GetObjectDirectorySizeResponse>, Status> {
        let (objects, _) = self.begin("GetObjectDirectorySize", request, |message| &message.repository).await?;
        let own = &objects.repository.git_object_directory;
        let folder = objects.path.join(if own.is_empty() { "objects" } else { own });
        let size = bytes(&folder)?.div_ceil(1024).try_into().unwrap();
        Ok(Response::new(GetObjectDirectorySizeResponse { size }))
    }
}

#[tonic::async_trait]
impl RefService for Answers {
    async fn find_default_branch_name(
        &self,
        request: Request<FindDefaultBranchNameRequest>,
    ) -> Result<Response<FindDefaultBranchNameResponse>, Status> {
        let (objects, message) = self.begin("FindDefaultBranchName", request, |message| &message.repository).await?;
        let head = objects.lines(&["symbolic-ref", "HEAD"], "")?.remove(0);
        if message.head_only {
            return Ok(Response::new(FindDefaultBranchNameResponse { name: head.into_bytes() }));
        }
        // What HEAD names, where that is there, then the usual names, and then the first of all.
        let branches = objects.lines(&["for-each-ref", "--format=%(refname)", "refs/heads"], "")?;
        let usual = [head, "refs/heads/main".to_owned(), "refs/heads/master".to_owned()];
        let name = usual.into_iter().find(|name| branches.contains(name)).or(branches.first().cloned());
        Ok(Response::new(FindDefaultBranchNameResponse { name: name.unwrap_or_default().into_bytes() }))
    }

    async fn ref_exists(&self, request: Request<RefExistsRequest>) -> Result<Response<RefExistsResponse>, Status> {
        let (objects, message) = self.begin("RefExists", request, |message| &message.repository).await?;
        let name = String::from_utf8(message.r#ref).unwrap();
        let value = objects.succeeds(&["show-ref", "--verify", "--quiet", &name])?;
        Ok(Response::new(RefExistsResponse { value }))
    }

    /// `git tag -l`, as Gitaly runs it.
    async fn find_tag(&self, request: Request<FindTagRequest>) -> Result<Response<FindTagResponse>, Status> {
        let (objects, message) = self.begin("FindTag", request, |message| &message.repository).await?;
        let name = String::from_utf8(message.tag_name).unwrap();
        let found = objects.lines(&["tag", "-l", "--format=%(objectname) %(objecttype)", &name], "")?;
        let Some(line) = found.first() else { return Err(Status::not_found("tag does not exist")) };
        let (id, kind) = line.split_once(' ').unwrap();
        let mut text = Vec::new();
        if kind == "tag" {
            let raw = objects.run(&["cat-file", "tag", id], "")?;
            let head = raw.windows(2).position(|pair| pair == b"\n\n").unwrap();
            text = raw[head + 2..].to_vec();
            while text.last() == Some(&b'\n') {
                text.pop();
            }
        }
        let message_size = text.len().try_into().unwrap();
        let tag = Tag { name: name.into(), id: id.to_owned(), message: text, message_size };
        Ok(Response::new(FindTagResponse { tag: Some(tag) }))
    }

    type ListBranchNamesContainingCommitStream = Pages<ListBranchNamesContainingCommitResponse>;

    async fn list_branch_names_containing_commit(
        &self,
        request: Request<ListBranchNamesContainingCommitRequest>,
    ) -> Result<Response<Self::ListBranchNamesContainingCommitStream>, Status> {
        let (objects, message) =
            self.begin("ListBranchNamesContainingCommit", request, |message| &message.repository).await?;
        let contains = format!("--contains={}", message.commit_id);
        let count = format!("--count={}", if message.limit == 0 { i32::MAX as u32 } else { message.limit });
        let names =
            objects.lines(&["for-each-ref", &contains, &count, "--format=%(refname:lstrip=2)", "refs/heads"], "")?;
        let names = names.into_iter().map(String::into_bytes);
        Ok(pages(names, |branch_names| ListBranchNamesContainingCommitResponse { branch_names }))
    }
}

#[tonic::async_trait]
impl CommitService for Answers {
    async fn commit_is_ancestor(
        &self,
        request: Request<CommitIsAncestorRequest>,
    ) -> Result<Response<CommitIsAncestorResponse>, Status> {
        let (objects, message) = self.begin("CommitIsAncestor", request, |message| &message.repository).await?;
        let value = objects.succeeds(&["merge-base", "--is-ancestor", &message.ancestor_id, &message.child_id])?;
        Ok(Response::new(CommitIsAncestorResponse { value }))
    }

    type ListCommitsStream = Pages<ListCommitsResponse>;

    async fn list_commits(
        &self,
        request: Request<ListCommitsRequest>,
    ) -> Result<Response<Self::ListCommitsStream>, Status> {
        let (objects, message) = self.begin("ListCommits", request, |message| &message.repository).await?;
        let ids = objects.rev_list(&[], &message.revisions)?;
        let commits: Result<Vec<_>, _> =
            limited(ids, message.pagination_params).iter().map(|id| objects.commit(id)).collect();
        Ok(pages(commits?, |commits| ListCommitsResponse { commits }))
    }

    async fn count_commits(
        &self,
        request: Request<CountCommitsRequest>,
    ) -> Result<Response<CountCommitsResponse>, Status> {
        let (objects, message) = self.begin("CountCommits", request, |message| &message.repository).await?;
        let ids = objects.rev_list(&[], &[String::from_utf8(message.revision).unwrap()])?;
        Ok(Response::new(CountCommitsResponse { count: ids.len().try_into().unwrap() }))
    }

    type ListAllCommitsStream = Pages<ListAllCommitsResponse>;

    async fn list_all_commits(
        &self,
        request: Request<ListAllCommitsRequest>,
    ) -> Result<Response<Self::ListAllCommitsStream>, Status> {
        let (objects, message) = self.begin("ListAllCommits", request, |message| &message.repository).await?;
        let found: Vec<_> = objects.all()?.into_iter().filter(|object| object.kind == "commit").collect();
        let commits: Result<Vec<_>, _> =
            limited(found, message.pagination_params).iter().map(|object| objects.commit(&object.id)).collect();
        Ok(pages(commits?, |commits| ListAllCommitsResponse { commits }))
    }

    type CheckObjectsExistStream = Pages<CheckObjectsExistResponse>;

    async fn check_objects_exist(
        &self,
        request: Request<Streaming<CheckObjectsExistRequest>>,
    ) -> Result<Response<Self::CheckObjectsExistStream>, Status> {
        let (metadata, extensions, mut messages) = request.into_parts();
        let mut first = messages.message().await?.ok_or_else(|| Status::unknown("EOF"))?;
        let mut names = std::mem::take(&mut first.revisions);
        let request = Request::from_parts(metadata, extensions, first);
        let (objects, _) = self.begin("CheckObjectsExist", request, |message| &message.repository).await?;
        while let Some(message) = messages.message().await? {
            if message.repository.is_some() || message.revisions.len() > 100 {
                return Err(Status::invalid_argument("the repository comes once, and a hundred revisions at a time"));
            }
            names.extend(message.revisions);
        }
        let input = names.iter().fold(String::new(), |all, name| all + std::str::from_utf8(name).unwrap() + "\n");
        let found = objects.lines(&["cat-file", "--batch-check"], &input)?;
        let known = names.into_iter().zip(found);
        let known = known.map(|(name, line)| RevisionExistence { name, exists: !line.ends_with(" missing") });
        Ok(pages(known, |revisions| CheckObjectsExistResponse { revisions }))
    }
}

#[tonic::async_trait]
impl DiffService for Answers {
    type FindChangedPathsStream = Pages<FindChangedPathsResponse>;

    async fn find_changed_paths(
        &self,
        request: Request<FindChangedPathsRequest>,
    ) -> Result<Response<Self::FindChangedPathsStream>, Status> {
        let (objects, message) = self.begin("FindChangedPaths", request, |message| &message.repository).await?;
        // Without -c, a merge would be shown against each of its parents.
        if message.merge_commit_diff_mode() != find_changed_paths_request::MergeCommitDiffMode::AllParents {
            return Err(Status::unimplemented("another mode for merges"));
        }
        let mut paths = Vec::new();
        for request in message.requests {
            // A commit without parents has no difference to show, for Gitaly asks without --root.
            let revisions = match request.r#type {
                Some(Type::CommitRequest(commit)) => vec![commit.commit_revision],
                Some(Type::TreeRequest(trees)) => vec![trees.left_tree_revision, trees.right_tree_revision],
                None => return Err(Status::invalid_argument("a request without a commit")),
            };
            let diff = ["diff-tree", "-r", "-c", "-z", "--no-renames", "--no-commit-id"].map(str::to_owned);
            let arguments: Vec<&str> = diff.iter().chain(&revisions).map(String::as_str).collect();
            let output = objects.run(&arguments, "")?;
            let mut fields = output.split(|byte| *byte == 0).filter(|field| !field.is_empty());
            while let (Some(change), Some(path)) = (fields.next(), fields.next()) {
                paths.push(changed_path(std::str::from_utf8(change).unwrap(), path));
            }
        }
        Ok(pages(paths, |paths| FindChangedPathsResponse { paths }))
    }
}

/// `:100644 000000 <old> <new> D`; of a merge, one more colon, mode, id and letter for each further parent.
fn changed_path(change: &str, path: &[u8]) -> ChangedPaths {
    let parents = change.bytes().take_while(|byte| *byte == b':').count();
    let fields: Vec<_> = change.trim_start_matches(':').split(' ').collect();
    let mode = |index: usize| i32::from_str_radix(fields[index], 8).unwrap();
    let status = match fields.last().unwrap().as_bytes()[0] {
        b'A' => changed_paths::Status::Added,
        b'D' => changed_paths::Status::Deleted,
        b'T' => changed_paths::Status::TypeChange,
        _ => changed_paths::Status::Modified,
    };
    ChangedPaths { path: path.to_vec(), status: status.into(), old_mode: mode(0), new_mode: mode(parents) }
}

#[tonic::async_trait]
impl BlobService for Answers {
    type ListBlobsStream = Pages<ListBlobsResponse>;

    async fn list_blobs(&self, request: Request<ListBlobsRequest>) -> Result<Response<Self::ListBlobsStream>, Status> {
        let (objects, message) = self.begin("ListBlobs", request, |message| &message.repository).await?;
        let found = objects.reached(&message.revisions)?.into_iter().filter(|(object, _)| object.kind == "blob");
        let blobs = found.map(|(object, path)| list_blobs_response::Blob {
            oid: object.id,
            size: object.size,
            data: Vec::new(),
            path: if message.with_paths { path.into_bytes() } else { Vec::new() },
        });
        Ok(pages(blobs, |blobs| ListBlobsResponse { blobs }))
    }

    type ListAllBlobsStream = Pages<ListAllBlobsResponse>;

    async fn list_all_blobs(
        &self,
        request: Request<ListAllBlobsRequest>,
    ) -> Result<Response<Self::ListAllBlobsStream>, Status> {
        let (objects, _) = self.begin("ListAllBlobs", request, |message| &message.repository).await?;
        let found = objects.all()?.into_iter().filter(|object| object.kind == "blob");
        let blob =
            |object: Object| list_all_blobs_response::Blob { oid: object.id, size: object.size, data: Vec::new() };
        Ok(pages(found.map(blob), |blobs| ListAllBlobsResponse { blobs }))
    }

    type ListLFSPointersStream = Pages<ListLfsPointersResponse>;

    async fn list_lfs_pointers(
        &self,
        request: Request<ListLfsPointersRequest>,
    ) -> Result<Response<Self::ListLFSPointersStream>, Status> {
        let (objects, message) = self.begin("ListLFSPointers", request, |message| &message.repository).await?;
        let blobs = objects.reached(&message.revisions)?.into_iter().map(|(object, _)| object);
        let pointers = objects.lfs_pointers(blobs, message.limit)?;
        Ok(pages(pointers, |lfs_pointers| ListLfsPointersResponse { lfs_pointers }))
    }

    type ListAllLFSPointersStream = Pages<ListAllLfsPointersResponse>;

    async fn list_all_lfs_pointers(
        &self,
        request: Request<ListAllLfsPointersRequest>,
    ) -> Result<Response<Self::ListAllLFSPointersStream>, Status> {
        let (objects, message) = self.begin("ListAllLFSPointers", request, |message| &message.repository).await?;
        let pointers = objects.lfs_pointers(objects.all()?.into_iter(), message.limit)?;
        Ok(pages(pointers, |lfs_pointers| ListAllLfsPointersResponse { lfs_pointers }))
    }
}
