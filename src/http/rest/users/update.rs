//! `PUT /users/:id`: change an account.

use axum::Json;
use axum::extract::State;

use super::wish::{self, UserParameters};
use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::grape::ParameterReader;
use crate::http::rest::RestState;
use crate::http::rest::entities::user::AdminUserShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::http::rest::params::RestParams;
use crate::services::write_user::{self, UserWish};

/// Changes what the request names.
///
/// # Errors
/// 409 for an address or a name that another user has, 400 for all else that is wrong.
#[utoipa::path(
    put,
    path = "/users/{id}",
    params(("id" = i64, Path, description = "The user's id")),
    request_body = UserParameters,
    responses(
        (status = 200, body = AdminUserShape),
        (status = 409, description = "Another user has the address or the name", body = inline(crate::http::openapi::FailureResponse))
    )
)]
pub async fn update(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<Json<AdminUserShape>, RestRefusal> {
    let wish = params.read(declare)?;
    let author = admin.caller().author();
    write_user::change(&state.db, UserId(user.id), wish, &author, state.clock.now()).await?;
    state.admin_shapes(&[user.id]).await?.pop().map(Json).ok_or(RestRefusal::NotFound("User"))
}

fn declare(reader: &mut ParameterReader<'_>) -> UserWish {
    let confirmed = reader.optional("skip_reconfirmation").value().unwrap_or_default();
    let wish = wish::declare(reader);
    // A blank password is what forms send that leave it alone.
    let password = wish.password.filter(|password| !secrecy::ExposeSecret::expose_secret(password).is_empty());
    UserWish { password, confirmed, ..wish }
}
