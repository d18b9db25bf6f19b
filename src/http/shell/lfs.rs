//! `GET /lfs`: the contents of an LFS object, for an archive that Gitaly makes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::ShellState;
use crate::domain::repository::GlRepository;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::wire::WireText;
use crate::lfs_files::LfsOid;
use crate::store::lfs_objects;

/// What Gitaly's smudge filter asks for.
#[derive(Debug, Deserialize, ToSchema)]
pub struct LfsContentRequest {
    oid: Option<WireText>,
    gl_repository: Option<WireText>,
}

/// The object, where the repository's project has it. 204 where it has not: the filter then leaves the pointer in the
/// archive, and any 4xx or 5xx would fail it (shell.md 2.15).
#[utoipa::path(
    get,
    path = "/lfs",
    params(
        ("oid" = Option<String>, Query, description = "The object's id"),
        ("gl_repository" = Option<String>, Query, description = "The repository")
    ),
    responses(
        (status = 200, description = "The content", body = String, content_type = "application/octet-stream"),
        (status = 204, description = "The project has no such object, and the pointer stays in the archive")
    )
)]
pub async fn show(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<LfsContentRequest>,
) -> Result<Response, ApiError> {
    let nothing = || Ok(StatusCode::NO_CONTENT.into_response());
    let oid = request.oid.as_ref().and_then(|oid| LfsOid::parse(&oid.0));
    let project = request.gl_repository.and_then(|name| match GlRepository::parse(&name.0) {
        Ok(GlRepository::Project(id) | GlRepository::Wiki(id)) => Some(id),
        Ok(_) | Err(_) => None,
    });
    let (Some(oid), Some(project)) = (oid.filter(|_| shell.settings.lfs), project) else { return nothing() };
    let oids = [oid.as_str().to_owned()];
    let linked = lfs_objects::list_linked(&shell.db.repeatable(), project, &oids).await?;
    let Some((_, store)) = linked.first() else { return nothing() };
    let content = async {
        let Some(size) = shell.lfs_files.size(&oid, *store).await? else { return Ok(None) };
        std::io::Result::Ok(Some((size, shell.lfs_files.read(&oid, *store, 0, size).await?)))
    };
    match content.await {
        Ok(Some((size, content))) => {
            let headers = [(CONTENT_TYPE, "application/octet-stream".to_owned()), (CONTENT_LENGTH, size.to_string())];
            Ok((headers, axum::body::Body::from_stream(content)).into_response())
        }
        Ok(None) => nothing(),
        Err(error) => Err(ApiError::Internal(error.into())),
    }
}
