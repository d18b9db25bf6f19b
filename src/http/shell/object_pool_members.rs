//! `GET /gitaly/object_pool_members`: which repositories share this object pool? Gatehouse makes no pools.

use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::openapi::FailureResponse;

/// 404, as for a pool that is not known (shell.md 2.16).
#[utoipa::path(
    get,
    path = "/gitaly/object_pool_members",
    params(("disk_path" = Option<String>, Query, description = "Where the pool is")),
    responses((status = 404, description = "There is no such pool", body = FailureResponse))
)]
pub async fn list(_caller: ShellCaller) -> ApiError {
    ApiError::NotFound
}
