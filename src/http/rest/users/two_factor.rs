//! `PATCH /users/:id/disable_two_factor`: an account without its second factor.

use axum::extract::State;
use axum::http::StatusCode;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::services::change_account;

/// Takes the user's second factor away.
///
/// # Errors
/// 400 where there is none, 403 where the user is an administrator.
#[utoipa::path(
    patch,
    path = "/users/{id}/disable_two_factor",
    params(("id" = i64, Path, description = "The user's id")),
    responses((status = 204, description = "The second factor is gone"))
)]
pub async fn disable(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
) -> Result<StatusCode, RestRefusal> {
    let author = admin.caller().author();
    change_account::disable_two_factor(&state.db, UserId(user.id), &author, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
