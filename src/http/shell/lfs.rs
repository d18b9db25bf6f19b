//! `GET /lfs`: the contents of an LFS object, for an archive that Gitaly makes. Gatehouse keeps none.

use axum::http::StatusCode;

use crate::http::auth::shell::ShellCaller;

/// 204: Gitaly's smudge filter then leaves the pointer in the archive. Any 4xx or 5xx would fail it (shell.md 2.15).
#[utoipa::path(
    get,
    path = "/lfs",
    params(
        ("oid" = Option<String>, Query, description = "The object's id"),
        ("gl_repository" = Option<String>, Query, description = "The repository")
    ),
    responses((status = 204, description = "There are no objects here, and the pointer stays in the archive"))
)]
pub async fn show(_caller: ShellCaller) -> StatusCode {
    StatusCode::NO_CONTENT
}
