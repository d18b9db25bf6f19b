//! `GET /gitaly/object_pool_members`: which repositories share this object pool? Gatehouse makes no pools.

use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;

/// 404, as for a pool that is not known (shell.md 2.16).
pub async fn list(_caller: ShellCaller) -> ApiError {
    ApiError::NotFound
}
