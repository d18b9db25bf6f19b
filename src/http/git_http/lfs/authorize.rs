//! `PUT /gitlab-lfs/objects/{oid}/{size}/authorize`: may Workhorse take this object, and where does it lay it down?

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::LfsCaller;
use super::error::{LfsFailureResponse, LfsRefusal};
use super::upload::AskedUpload;
use crate::config::ObjectStoreSettings;
use crate::http::auth::workhorse::WorkhorseCaller;
use crate::http::git_http::preauthorisation::INTERNAL_TYPE;
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};
use crate::lfs_files::RemoteUpload;
use crate::services::store_lfs_object::{self, DeliveredObject};

/// Seconds that Workhorse may take.
const TIMEOUT: u32 = 14_400;

/// Where Workhorse lays the object down, and what it is to be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LfsAuthorizeResponse {
    /// A folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    temp_path: Option<String>,
    /// Or a bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_object: Option<LfsRemoteObject>,
    lfs_oid: String,
    lfs_size: i64,
    maximum_size: i64,
    upload_hash_functions: [&'static str; 1],
}

/// An object in the bucket that Workhorse writes: by these URLs, or as `ObjectStorage` says where it has keys of its own.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LfsRemoteObject {
    #[serde(rename = "ID")]
    id: String,
    timeout: u32,
    #[serde(rename = "StoreURL")]
    store_url: String,
    #[serde(rename = "GetURL")]
    get_url: String,
    #[serde(rename = "DeleteURL")]
    delete_url: String,
    custom_put_headers: bool,
    put_headers: BTreeMap<String, String>,
    multipart_upload: LfsMultipartUpload,
    use_workhorse_client: bool,
    #[serde(rename = "RemoteTempObjectID")]
    remote_temp_object_id: String,
    object_storage: LfsObjectStorage,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct LfsMultipartUpload {
    part_size: u64,
    #[serde(rename = "PartURLs")]
    part_urls: Vec<String>,
    #[serde(rename = "CompleteURL")]
    complete_url: String,
    #[serde(rename = "AbortURL")]
    abort_url: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct LfsObjectStorage {
    provider: String,
    s3_config: LfsS3Config,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
struct LfsS3Config {
    bucket: String,
    region: String,
    endpoint: String,
    path_style: bool,
    use_iam_profile: bool,
}

impl LfsRemoteObject {
    fn new(id: String, remote: RemoteUpload, settings: &ObjectStoreSettings) -> Self {
        let connection = &settings.connection;
        Self {
            id,
            timeout: TIMEOUT,
            store_url: remote.store.into(),
            get_url: remote.get.into(),
            delete_url: remote.delete.into(),
            custom_put_headers: true,
            put_headers: BTreeMap::new(),
            multipart_upload: LfsMultipartUpload {
                part_size: remote.part_size,
                part_urls: remote.parts.into_iter().map(Into::into).collect(),
                complete_url: remote.complete.into(),
                abort_url: remote.abort.into(),
            },
            use_workhorse_client: true,
            remote_temp_object_id: remote.name,
            object_storage: LfsObjectStorage {
                provider: connection.provider.clone(),
                s3_config: LfsS3Config {
                    bucket: settings.remote_directory.clone(),
                    region: connection.region.clone(),
                    endpoint: connection.endpoint.clone().unwrap_or_default(),
                    path_style: connection.path_style,
                    use_iam_profile: connection.use_iam_profile,
                },
            },
        }
    }
}

/// A folder or a place in the bucket for the object, where its user may upload it and there is room.
#[utoipa::path(
    put,
    path = "/gitlab-lfs/objects/{oid}/{size}/authorize",
    params(
        (
            "oid" = String,
            Path,
            description = "The object's id",
            example = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        ),
        ("size" = String, Path, description = "Its bytes", example = "5")
    ),
    responses(
        (
            status = 200,
            description = "Workhorse may go on",
            body = LfsAuthorizeResponse,
            content_type = "application/vnd.gitlab-workhorse+json"
        ),
        (
            status = 406,
            description = "The project may have no more",
            body = LfsFailureResponse,
            content_type = "application/vnd.git-lfs+json"
        )
    )
)]
pub async fn authorize(
    State(git): State<GitHttpState>,
    _workhorse: WorkhorseCaller,
    Extension(repository): Extension<RequestedRepository>,
    Extension(address): Extension<ClientAddress>,
    Path((oid, size)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, LfsRefusal> {
    let url = &git.settings.url;
    let caller = LfsCaller::admit(&git, repository, address, &headers).await?;
    let asked = AskedUpload::parse(&oid, &size).ok_or_else(|| LfsRefusal::not_found(url))?;
    asked.admitted(&git, &caller).await?;
    let (known, size) = (&asked.oid, asked.size);
    let object = DeliveredObject { oid: known, size, project: caller.project, wiki: caller.wiki };
    let opened = store_lfs_object::open_for_workhorse(&git.db, &git.files, object, git.clock.now()).await?;
    let remote = opened.zip(git.files.bucket());
    let remote = remote.map(|((id, remote), bucket)| LfsRemoteObject::new(id, remote, bucket.settings()));
    let folder = || git.files.directory().temporary().display().to_string();
    let body = LfsAuthorizeResponse {
        temp_path: remote.is_none().then(folder),
        remote_object: remote,
        lfs_oid: oid,
        lfs_size: asked.size,
        maximum_size: asked.size,
        upload_hash_functions: ["sha256"],
    };
    Ok(([(CONTENT_TYPE, INTERNAL_TYPE)], Json(body)).into_response())
}
