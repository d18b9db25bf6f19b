//! `PUT /gitlab-lfs/objects/{oid}/{size}`: an object comes in: from Workhorse, which has laid it down already, or from
//! git-lfs itself, where no Workhorse is in between.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::LfsCaller;
use super::error::{LFS_TYPE, LfsFailureResponse, LfsRefusal};
use crate::domain::token;
use crate::http::body::{BegunBody, UnreadBody};
use crate::http::git_http::error::PlainRefusal;
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::lfs_files::{LfsBucket, LfsOid};
use crate::services::store_lfs_object::{self, DeliveredObject, IncomingObject};
use crate::store::{lfs_objects, lfs_pending_uploads};

/// The header in which Workhorse signs which file of a form it has laid down.
const FIELDS: &str = "gitlab-workhorse-multipart-fields";
/// The field in which it signs what it has found of that file.
const UPLOAD: &str = "file.gitlab-workhorse-upload";
/// Bytes of such a form at most.
const FORM_BYTES: usize = 64 << 10;

/// The object that a URL names.
#[derive(Debug)]
pub struct AskedUpload {
    /// The object.
    pub oid: LfsOid,
    /// Its size.
    pub size: i64,
}

impl AskedUpload {
    /// The object of these parts of a URL.
    #[must_use]
    pub fn parse(oid: &str, size: &str) -> Option<Self> {
        let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { oid: LfsOid::parse(oid)?, size: size.parse().ok().filter(|_| digits)? })
    }

    /// Whether the caller may bring it, and there is room for it.
    pub async fn admitted(&self, git: &GitHttpState, caller: &LfsCaller) -> Result<(), LfsRefusal> {
        let url = &git.settings.url;
        caller.may_upload(url)?;
        let oids = [self.oid.as_str().to_owned()];
        let linked = lfs_objects::list_linked(&git.db.repeatable(), caller.project, &oids).await?;
        let bytes = if linked.is_empty() { u128::try_from(self.size).unwrap_or_default() } else { 0 };
        caller.has_room_for(bytes, url)
    }
}

/// Stores the object, once its content is known to be what its id says. A repeated delivery changes nothing.
#[utoipa::path(
    put,
    path = "/gitlab-lfs/objects/{oid}/{size}",
    params(
        (
            "oid" = String,
            Path,
            description = "The object's id",
            example = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        ),
        ("size" = String, Path, description = "Its bytes", example = "5")
    ),
    request_body(
        content = String,
        content_type = "application/octet-stream",
        description = "The content; from Workhorse a form that says where it has laid that down",
        example = json!("hello")
    ),
    responses(
        (status = 200, description = "The project has the object"),
        (status = 400, description = "The content is not that of the object"),
        (
            status = 406,
            description = "The project may have no more",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        ),
        (status = 413, description = "There is more of it than its size says"),
        (status = 422, description = "Workhorse has sent no file")
    )
)]
pub async fn store(
    State(git): State<GitHttpState>,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Path((oid, size)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, LfsRefusal> {
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    let asked = AskedUpload::parse(&oid, &size).ok_or_else(|| LfsRefusal::not_found(&git.settings.url))?;
    asked.admitted(&git, &caller).await?;
    let (oid, size) = (&asked.oid, asked.size);
    let object = DeliveredObject { oid, size, project: caller.project, wiki: caller.wiki };
    let incoming = if git.workhorse.accepts(&headers) {
        laid_down(&git, object, &headers, body).await?
    } else {
        received(&git, object, &headers, body).await?
    };
    store_lfs_object::store(&git.db, &git.files, object, incoming).await?;
    metrics::counter!("gatehouse_lfs_objects_total", "operation" => "upload").increment(1);
    let mut response = Response::new(Body::empty());
    response.headers_mut().insert("content-type", LFS_TYPE.parse().expect("a media type is a header's value"));
    Ok(response)
}

/// What Workhorse has laid down, where all that it signs of it is true.
async fn laid_down(
    git: &GitHttpState,
    object: DeliveredObject<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<IncomingObject, LfsRefusal> {
    let unfit = |text: &'static str| PlainRefusal::new(StatusCode::BAD_REQUEST, text);
    let Some(fields) = headers.get(FIELDS) else {
        return Err(PlainRefusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Unprocessable entity").into());
    };
    let form = BegunBody::read(body).await.map_err(LfsRefusal::unread)?;
    let form = form.finish(FORM_BYTES).await.map_err(LfsRefusal::unread)?;
    let signed = fields.to_str().ok().and_then(|token| git.workhorse.claims(token));
    let rewritten = signed.is_some_and(|claims| claims["rewritten_fields"]["file"].is_string());
    let upload = form_urlencoded::parse(&form).find(|(name, _)| name == UPLOAD).map(|(_, token)| token.into_owned());
    let upload = upload.and_then(|token| git.workhorse.claims(&token)).map(|claims| claims["upload"].clone());
    let Some(upload) = upload.filter(|upload| rewritten && upload.is_object()) else {
        return Err(unfit("The file is not signed by GitLab Workhorse").into());
    };
    // Only what is signed counts, and it comes as text.
    let said = |name: &str| upload.get(name).and_then(Value::as_str).unwrap_or_default();
    let same = said("sha256") == object.oid.as_str() && said("size") == object.size.to_string();
    if !same {
        return Err(unfit("SHA256 or size mismatch").into());
    }
    match (git.files.bucket(), said("remote_id")) {
        (Some(bucket), remote_id) if !remote_id.is_empty() => laid_down_in(git, bucket, object, remote_id).await,
        _ => laid_down_at(git, object, said("path")).await,
    }
}

/// What Workhorse has laid down in a file.
async fn laid_down_at(
    git: &GitHttpState,
    object: DeliveredObject<'_>,
    path: &str,
) -> Result<IncomingObject, LfsRefusal> {
    let unfit = |text: &'static str| PlainRefusal::new(StatusCode::BAD_REQUEST, text);
    let Some(path) = git.files.directory().delivered(std::path::Path::new(path)).await? else {
        return Err(unfit("The file is not where it was to be laid down").into());
    };
    let length = tokio::fs::symlink_metadata(&path).await?.len();
    if i64::try_from(length) != Ok(object.size) {
        return Err(unfit("SHA256 or size mismatch").into());
    }
    Ok(store_lfs_object::take_file(&git.db, &git.files, object, path, git.clock.now()).await?)
}

/// What Workhorse has laid down in the bucket, under a name that it was given for this object of this project.
async fn laid_down_in(
    git: &GitHttpState,
    bucket: &LfsBucket,
    object: DeliveredObject<'_>,
    remote_id: &str,
) -> Result<IncomingObject, LfsRefusal> {
    let foreign = || LfsRefusal::forbidden(&git.settings.url);
    let (db, oid) = (git.db.repeatable(), object.oid.as_str());
    let pending = lfs_pending_uploads::find_by_workhorse(&db, remote_id, oid, object.project).await?;
    let pending = pending.ok_or_else(foreign)?;
    let length = bucket.size(&pending.object_name).await?.ok_or_else(foreign)?;
    if i64::try_from(length) != Ok(object.size) {
        return Err(PlainRefusal::new(StatusCode::BAD_REQUEST, "SHA256 or size mismatch").into());
    }
    Ok(store_lfs_object::take_from_bucket(&git.db, bucket, object, pending, git.clock.now()).await?)
}

/// The content, written away as it comes; it goes again where it is not what the object's id says.
async fn received(
    git: &GitHttpState,
    object: DeliveredObject<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<IncomingObject, LfsRefusal> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.is_some_and(|length| length != object.size.to_string()) {
        return Err(PlainRefusal::new(StatusCode::BAD_REQUEST, "SHA256 or size mismatch").into());
    }
    let mut incoming = store_lfs_object::begin(&git.db, &git.files, object, git.clock.now()).await?;
    match write_all(&mut incoming, object, body).await {
        Ok(()) => Ok(incoming),
        Err(refusal) => {
            // What cannot be removed now is removed by the sweep.
            if let Err(error) = store_lfs_object::give_up(&git.db, incoming).await {
                tracing::warn!(%error, "could not give up an LFS object that came in");
            }
            Err(refusal)
        }
    }
}

async fn write_all(incoming: &mut IncomingObject, object: DeliveredObject<'_>, body: Body) -> Result<(), LfsRefusal> {
    let size = u64::try_from(object.size).unwrap_or_default();
    let (mut hash, mut seen) = (Sha256::new(), 0_u64);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| LfsRefusal::unread(UnreadBody::of(&error)))?;
        seen += piece.len() as u64;
        if seen > size {
            return Err(LfsRefusal::unread(UnreadBody::TooLarge));
        }
        hash.update(&piece);
        incoming.write(piece).await?;
    }
    if seen != size || token::hex(&hash.finalize()) != object.oid.as_str() {
        return Err(PlainRefusal::new(StatusCode::BAD_REQUEST, "SHA256 or size mismatch").into());
    }
    Ok(())
}
