//! `DELETE /users/:id/identities/:provider`: the user is nobody at a provider.

use axum::extract::State;
use axum::http::StatusCode;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundUser, RowName};
use crate::services::write_user;

/// Takes away who the user is at the provider.
///
/// # Errors
/// 404 where that is nobody.
#[utoipa::path(
    delete,
    path = "/users/{id}/identities/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = String, Path, description = "The provider")
    ),
    responses((status = 204, description = "The user is nobody there any more"))
)]
pub async fn delete(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    provider: RowName,
) -> Result<StatusCode, RestRefusal> {
    let author = admin.caller().author();
    let now = state.clock.now();
    if write_user::delete_identity(&state.db, UserId(user.id), &provider.0, &author, now).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(RestRefusal::NotFound("Identity"))
    }
}
