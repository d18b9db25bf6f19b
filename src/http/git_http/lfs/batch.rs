//! `POST /info/lfs/objects/batch`: where are these objects to be had, or to be brought?

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::{LfsFailureResponse, LfsRefusal, lfs_json};
use super::{LfsCaller, parameters};
use crate::domain::access::{
    self, AccessProtocol, AccessTarget, ActorName, Attempt, Decision, GitCommand, PushChanges,
};
use crate::domain::ids::ProjectId;
use crate::domain::repository::GlRepository;
use crate::http::auth::git_basic::LfsCredential;
use crate::http::auth::lfs_token::LfsTokenUse;
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::lfs_files::{FileStore, LfsBucket, LfsOid};
use crate::services::store_lfs_object;
use crate::store::lfs_objects;

/// Objects of a batch at most.
const MOST: usize = 10_000;

/// What git-lfs asks for.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document of the API shows it; each object of a batch is read by itself")]
pub struct LfsBatchRequest {
    /// `download` or `upload`
    operation: String,
    /// The objects.
    objects: Vec<LfsBatchObject>,
    /// The ways of transfer that the client knows; `basic` is the one that it gets.
    transfers: Option<Vec<String>>,
    /// `sha256`
    hash_algo: Option<String>,
}

/// An object of a batch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document of the API shows it; each object of a batch is read by itself")]
pub struct LfsBatchObject {
    /// SHA-256 of the content, 64 hexadecimal digits
    oid: String,
    /// Its bytes.
    size: i64,
}

/// What is to be done with each object.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsBatchResponse {
    transfer: &'static str,
    hash_algo: &'static str,
    objects: Vec<LfsObjectResponse>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsObjectResponse {
    oid: Value,
    size: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    actions: BTreeMap<&'static str, LfsAction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<LfsObjectError>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsAction {
    href: String,
    header: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LfsObjectError {
    code: u16,
    message: &'static str,
}

/// An object of the request, in its place.
struct AskedObject {
    oid: Value,
    size: Value,
    /// Where both can be read.
    known: Option<(LfsOid, i64)>,
}

impl AskedObject {
    fn of(value: &Value) -> Self {
        let (oid, size) = (value["oid"].clone(), value["size"].clone());
        let known = oid.as_str().and_then(LfsOid::parse).zip(size.as_i64().filter(|size| *size >= 0));
        Self { oid, size, known }
    }

    fn response(self) -> LfsObjectResponse {
        LfsObjectResponse { oid: self.oid, size: self.size, authenticated: None, actions: BTreeMap::new(), error: None }
    }

    fn refused(self, code: u16, message: &'static str) -> LfsObjectResponse {
        LfsObjectResponse { error: Some(LfsObjectError { code, message }), ..self.response() }
    }
}

/// An answer for each object, in the order of the request. What a project has already is not asked for again; what the
/// project has that it is a fork of is linked to it at once.
#[utoipa::path(
    post,
    path = "/info/lfs/objects/batch",
    request_body(
        content = LfsBatchRequest,
        content_type = "application/vnd.git-lfs+json",
        example = json!({
            "operation": "download", "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{ "oid": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "size": 5 }]
        })
    ),
    responses(
        (status = 200, body = LfsBatchResponse, content_type = "application/vnd.git-lfs+json"),
        (
            status = 400,
            description = "The body is no JSON object",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 406,
            description = "The project may have no more",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 409,
            description = "Objects are named by another hash than SHA-256",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (
            status = 413,
            description = "More than 10,000 objects, or a body of more than 4 MiB",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        )
    )
)]
pub async fn batch(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    let request = parameters(body, url).await?;
    let objects = objects(&request, url)?;
    let response = match request.get("operation").and_then(Value::as_str) {
        Some("download") => {
            caller.may_download(url)?;
            downloads(&git, &caller, &headers, objects).await?
        }
        Some("upload") => {
            caller.may_upload(url)?;
            uploads(&git, &caller, &headers, objects).await?
        }
        _ if caller.bearer == LfsCredential::Nothing => return Err(LfsRefusal::unauthorized(url)),
        _ => return Err(LfsRefusal::not_found(url)),
    };
    Ok(lfs_json(StatusCode::OK, &LfsBatchResponse { transfer: "basic", hash_algo: "sha256", objects: response }))
}

fn objects(request: &Map<String, Value>, url: &str) -> Result<Vec<AskedObject>, LfsRefusal> {
    if request.get("hash_algo").is_some_and(|algorithm| algorithm != "sha256") {
        return Err(LfsRefusal::new(StatusCode::CONFLICT, "Objects are named by SHA-256 here", url));
    }
    let objects = request.get("objects").and_then(Value::as_array).filter(|objects| !objects.is_empty());
    let objects = objects.ok_or_else(|| LfsRefusal::not_found(url))?;
    if objects.len() > MOST {
        let message = format!("A batch may have {MOST} objects");
        return Err(LfsRefusal::new(StatusCode::PAYLOAD_TOO_LARGE, message, url));
    }
    Ok(objects.iter().map(AskedObject::of).collect())
}

const MALFORMED: &str = "The oid must be 64 hexadecimal digits in small letters, and the size an integer from 0 on";

async fn downloads(
    git: &GitHttpState,
    caller: &LfsCaller,
    headers: &HeaderMap,
    objects: Vec<AskedObject>,
) -> Result<Vec<LfsObjectResponse>, LfsRefusal> {
    let linked = linked(git, caller, &objects).await?;
    let (authorization, expires_in) = authorization(git, caller, headers, LfsTokenUse::Download);
    let header: BTreeMap<_, _> = authorization.map(|value| ("Authorization", value)).into_iter().collect();
    let mut answers = Vec::with_capacity(objects.len());
    for object in objects {
        let Some((oid, _)) = object.known.clone() else {
            answers.push(object.refused(422, MALFORMED));
            continue;
        };
        let Some(store) = linked.get(oid.as_str()) else {
            let message = "Object does not exist on the server or you don't have permissions to access it";
            answers.push(object.refused(404, message));
            continue;
        };
        let action = if let Some(bucket) = given_away(git, *store) {
            let (url, lifetime) = bucket.download_url(&oid).await?;
            LfsAction { href: url.into(), header: BTreeMap::new(), expires_in: Some(lifetime.as_secs()) }
        } else {
            let href = format!("{}/gitlab-lfs/objects/{}", caller.clone_url, oid.as_str());
            LfsAction { href, header: header.clone(), expires_in }
        };
        answers.push(LfsObjectResponse {
            authenticated: (caller.open || action.header.is_empty()).then_some(true),
            actions: BTreeMap::from([("download", action)]),
            ..object.response()
        });
    }
    Ok(answers)
}

/// The bucket, where an object is there and clients fetch it there by themselves.
pub fn given_away(git: &GitHttpState, store: FileStore) -> Option<&LfsBucket> {
    git.files.bucket().filter(|bucket| store == FileStore::Remote && !bucket.settings().proxy_download)
}

async fn uploads(
    git: &GitHttpState,
    caller: &LfsCaller,
    headers: &HeaderMap,
    objects: Vec<AskedObject>,
) -> Result<Vec<LfsObjectResponse>, LfsRefusal> {
    let mut here = linked(git, caller, &objects).await?;
    let missing = |here: &HashMap<String, FileStore>| -> Vec<(String, i64)> {
        let known = objects.iter().filter_map(|object| object.known.as_ref());
        let missing = known.filter(|(oid, _)| !here.contains_key(oid.as_str()));
        let missing: HashSet<_> = missing.map(|(oid, size)| (oid.as_str().to_owned(), *size)).collect();
        missing.into_iter().collect()
    };
    let wanted = missing(&here);
    if let Some(source) = caller.lfs.source.filter(|_| !wanted.is_empty())
        && may_download_from(git, caller, source).await?
    {
        let linked = store_lfs_object::link_from_source(&git.db, source, caller.project, caller.wiki, &wanted).await?;
        here.extend(lfs_objects::list_linked(&git.db.repeatable(), caller.project, &linked).await?);
    }
    let bytes = missing(&here).iter().map(|(_, size)| u128::try_from(*size).unwrap_or_default()).sum();
    caller.has_room_for(bytes, &git.settings.url)?;
    // A project has it, and its file is gone: it is asked for again. A bucket is not asked about each.
    let there = here.iter().filter(|(_, store)| **store == FileStore::Local);
    let there = there.filter_map(|(oid, _)| LfsOid::parse(oid)).collect();
    let lost: HashSet<LfsOid> = git.files.directory().without_file(there).await?.into_iter().collect();
    let (authorization, expires_in) = authorization(git, caller, headers, LfsTokenUse::Both);
    let answer = |object: AskedObject| match object.known.clone() {
        None => object.refused(422, MALFORMED),
        Some((oid, _)) if here.contains_key(oid.as_str()) && !lost.contains(&oid) => object.response(),
        Some((oid, size)) => {
            let href = format!("{}/gitlab-lfs/objects/{}/{size}", caller.clone_url, oid.as_str());
            let mut header: BTreeMap<_, _> =
                authorization.clone().map(|value| ("Authorization", value)).into_iter().collect();
            // By these two Workhorse knows an object.
            header.insert("Content-Type", "application/octet-stream".to_owned());
            header.insert("Transfer-Encoding", "chunked".to_owned());
            let action = LfsAction { href, header, expires_in };
            LfsObjectResponse { actions: BTreeMap::from([("upload", action)]), ..object.response() }
        }
    };
    Ok(objects.into_iter().map(answer).collect())
}

/// Of the objects those that the project has, and where each is.
async fn linked(
    git: &GitHttpState,
    caller: &LfsCaller,
    objects: &[AskedObject],
) -> Result<HashMap<String, FileStore>, LfsRefusal> {
    let known = objects.iter().filter_map(|object| object.known.as_ref());
    let oids: HashSet<String> = known.map(|(oid, _)| oid.as_str().to_owned()).collect();
    let oids: Vec<String> = oids.into_iter().collect();
    Ok(lfs_objects::list_linked(&git.db.repeatable(), caller.project, &oids).await?.into_iter().collect())
}

/// Whether the caller, who is a user, may download from another project.
pub async fn may_download_from(git: &GitHttpState, caller: &LfsCaller, other: ProjectId) -> Result<bool, LfsRefusal> {
    let actor = caller.user().map_or(ActorName::Nobody, |(user, _)| ActorName::User(user));
    let attempt = Attempt {
        command: GitCommand::Download,
        protocol: AccessProtocol::Web,
        actor,
        target: AccessTarget::Repository(GlRepository::Project(other)),
        changes: PushChanges::None,
        client_ip: None,
        certified_by: None,
    };
    let facts = git.auth.access.load(attempt.subject(), git.clock.now()).await?.with_repository();
    Ok(access::decide(&facts, &attempt) == Decision::Allow)
}

/// What the client shows with a transfer, and for how long: a fresh token for a user, and for everybody else what they
/// came with, so that access ends with the credential that began it.
fn authorization(
    git: &GitHttpState,
    caller: &LfsCaller,
    headers: &HeaderMap,
    operation: LfsTokenUse,
) -> (Option<String>, Option<u64>) {
    let own = || headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    match caller.bearer {
        LfsCredential::Nothing => (None, None),
        LfsCredential::DeployToken | LfsCredential::LfsToken { .. } => (own(), None),
        LfsCredential::User => {
            let (now, lifetime) = (git.clock.now(), git.settings.lfs_token_lifetime);
            let minted = git.auth.mint_lfs_token(&caller.facts, caller.project, operation, now, lifetime);
            let header = minted.map(|basic| {
                let both = format!("{}:{}", basic.login, basic.secret.expose_secret());
                format!("Basic {}", BASE64_STANDARD.encode(both))
            });
            (header, Some(lifetime.as_secs()))
        }
    }
}
