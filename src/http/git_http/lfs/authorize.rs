//! `PUT /gitlab-lfs/objects/{oid}/{size}/authorize`: may Workhorse take this object, and where does it lay it down?

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use super::LfsCaller;
use super::error::LfsRefusal;
use super::upload::AskedUpload;
use crate::http::auth::workhorse::WorkhorseCaller;
use crate::http::git_http::preauthorisation::INTERNAL_TYPE;
use crate::http::git_http::{ClientAddress, GitHttpState, RequestedRepository};

/// Where Workhorse lays the object down, and what it is to be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct LfsAuthorizeResponse {
    temp_path: String,
    lfs_oid: String,
    lfs_size: i64,
    maximum_size: i64,
    upload_hash_functions: [&'static str; 1],
}

/// A folder for the object, where its user may upload it and there is room.
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
        (status = 406, description = "The project may have no more"),
        (status = 501, description = "LFS is not offered here")
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
    let body = LfsAuthorizeResponse {
        temp_path: git.files.temporary().display().to_string(),
        lfs_oid: oid,
        lfs_size: asked.size,
        maximum_size: asked.size,
        upload_hash_functions: ["sha256"],
    };
    Ok(([(CONTENT_TYPE, INTERNAL_TYPE)], Json(body)).into_response())
}
