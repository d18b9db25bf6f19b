//! Git LFS: which objects and locks a project has, and the objects themselves (`git_http.md` 5 and 6).

pub mod authorize;
pub mod batch;
pub mod deprecated;
pub mod download;
pub mod error;
pub mod locks;
pub mod locks_unlock;
pub mod locks_verify;
pub mod upload;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use self::error::LfsRefusal;
use super::error::PlainRefusal;
use super::{ClientAddress, GitHttpState, RequestedRepository};
use crate::domain::access::{
    self, AccessActor, AccessFacts, AccessProtocol, AccessTarget, ActorName, Attempt, ClientIp, Decision, Denial,
    GitCommand, PushChanges, anybody_may_download,
};
use crate::domain::ids::{ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::repository::GlRepository;
use crate::http::auth::git_basic::{LfsClient, LfsCredential};
use crate::http::body::BegunBody;
use crate::store::lfs_objects::{self, LfsProject};

/// Bytes of a body at most, but for objects themselves.
const BODY_BYTES: usize = 4 << 20;

/// Who asks, about which project, and what they may do there.
#[derive(Debug)]
pub struct LfsCaller {
    facts: AccessFacts,
    project: ProjectId,
    lfs: LfsProject,
    /// Whether the objects are the wiki's.
    wiki: bool,
    bearer: LfsCredential,
    /// Whether anybody may download.
    open: bool,
    download: bool,
    /// Why nothing may be uploaded.
    upload: Result<(), UploadRefusal>,
    /// The URL that the repository is cloned from.
    clone_url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UploadRefusal {
    NotPermitted,
    ReadOnly,
}

impl LfsCaller {
    /// Whoever asks, where they may ask at all: the gate of every route.
    async fn admit(
        git: &GitHttpState,
        RequestedRepository(repository): RequestedRepository,
        ClientAddress(address): ClientAddress,
        headers: &HeaderMap,
    ) -> Result<Self, LfsRefusal> {
        let (now, url) = (git.clock.now(), &git.settings.url);
        let path = repository.as_str().to_owned();
        let mut push = Attempt {
            command: GitCommand::Push,
            // LFS is neither git over SSH nor git over HTTP: what closes one of these does not close it.
            protocol: AccessProtocol::Web,
            actor: ActorName::Nobody,
            target: AccessTarget::Path(repository),
            changes: PushChanges::Any,
            client_ip: Some(ClientIp::Known(address)),
            certified_by: None,
        };
        let identified = git.auth.identify_lfs(headers, &mut push, address, now).await;
        let LfsClient { facts, bearer } = identified.map_err(|refusal| LfsRefusal::of_credential(refusal, url))?;
        if !git.settings.lfs {
            return Err(LfsRefusal::not_offered(url));
        }
        // Objects may be there before the repository is.
        let facts = facts.with_repository();
        let fetch = Attempt { command: GitCommand::Download, changes: PushChanges::None, ..push.clone() };
        let download = access::decide(&facts, &fetch);
        if let Decision::Deny(Denial::MayNotUseGit(account)) = &download {
            return Err(LfsRefusal::new(StatusCode::FORBIDDEN, account.sentence(url), url));
        }
        let wiki = match facts.container.as_ref().map(|container| container.repository) {
            Some(GlRepository::Project(_)) => false,
            Some(GlRepository::Wiki(_)) => true,
            Some(GlRepository::GroupWiki(_) | GlRepository::Snippet(_) | GlRepository::Design(_)) | None => {
                return Err(LfsRefusal::not_found(url));
            }
        };
        let project = facts.project.as_ref().ok_or_else(|| LfsRefusal::not_found(url))?.id;
        let lfs = lfs_objects::find_project(&git.db.repeatable(), project).await?;
        let lfs = lfs.filter(|lfs| lfs.enabled).ok_or_else(|| LfsRefusal::not_found(url))?;
        let upload = match access::decide(&facts, &push) {
            _ if bearer == (LfsCredential::LfsToken { uploads: false }) => Err(UploadRefusal::NotPermitted),
            Decision::Allow => Ok(()),
            Decision::Deny(Denial::MaintenanceMode | Denial::ReadOnlyDatabase) => Err(UploadRefusal::ReadOnly),
            Decision::Deny(_) => Err(UploadRefusal::NotPermitted),
        };
        let by_http = Attempt { protocol: AccessProtocol::Http, ..fetch };
        let root = lfs.clone_root.clone().unwrap_or_else(|| url.clone());
        Ok(Self {
            open: anybody_may_download(&facts, &by_http),
            download: download == Decision::Allow,
            project,
            lfs,
            wiki,
            bearer,
            upload,
            clone_url: format!("{}/{path}.git", root.trim_end_matches('/')),
            facts,
        })
    }

    /// Whether they may download, or hear that there is nothing.
    fn may_download(&self, url: &str) -> Result<(), LfsRefusal> {
        if self.download { Ok(()) } else { Err(LfsRefusal::not_found(url)) }
    }

    /// Whether they may upload, and if not what they may know of that.
    fn may_upload(&self, url: &str) -> Result<(), LfsRefusal> {
        match self.upload {
            Ok(()) => Ok(()),
            Err(_) if self.bearer == LfsCredential::Nothing => Err(LfsRefusal::unauthorized(url)),
            Err(UploadRefusal::ReadOnly) if self.download => Err(LfsRefusal::read_only()),
            Err(_) if self.download => Err(LfsRefusal::forbidden(url)),
            Err(_) => Err(LfsRefusal::not_found(url)),
        }
    }

    /// Whether so many bytes more may be there.
    fn has_room_for(&self, bytes: u128, url: &str) -> Result<(), LfsRefusal> {
        let Some(limit) = self.lfs.limit else { return Ok(()) };
        let (limit, used) =
            (u128::try_from(limit).unwrap_or_default(), u128::try_from(self.lfs.used).unwrap_or_default());
        let denial = if used > limit {
            Denial::RepositoryFull
        } else if used + bytes > limit {
            Denial::RepositoryWouldBeFull
        } else {
            return Ok(());
        };
        Err(LfsRefusal::new(StatusCode::NOT_ACCEPTABLE, denial.sentence(url), url))
    }

    /// The user who asks; deploy keys and tokens are none.
    fn user(&self) -> Option<(UserId, bool)> {
        match self.facts.actor() {
            AccessActor::User(user) => {
                let level = self.facts.project.as_ref().map_or(AccessLevel::NO_ACCESS, |project| project.level);
                Some((user.id, user.admin || level >= AccessLevel::MAINTAINER))
            }
            AccessActor::DeployKey(_) | AccessActor::DeployToken(_) | AccessActor::Nobody => None,
        }
    }
}

/// The body of a request as a JSON object; an empty one where there is none.
async fn parameters(body: Body, url: &str) -> Result<Map<String, Value>, LfsRefusal> {
    let bytes = BegunBody::read(body).await.map_err(LfsRefusal::unread)?;
    let bytes = bytes.finish(BODY_BYTES).await.map_err(LfsRefusal::unread)?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(parameters)) => Ok(parameters),
        Ok(_) | Err(_) => Err(LfsRefusal::new(StatusCode::BAD_REQUEST, "The body is no JSON object", url)),
    }
}

/// A text among parameters; a number is read as the text that it is written as.
fn text(parameters: &Map<String, Value>, name: &str) -> Option<String> {
    match parameters.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl From<PlainRefusal> for LfsRefusal {
    fn from(refusal: PlainRefusal) -> Self {
        Self::Plain(refusal)
    }
}
