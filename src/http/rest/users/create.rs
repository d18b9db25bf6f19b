//! `POST /users`: make an account.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Created;
use super::wish::{self, UserParameters};
use crate::http::auth::rest::RestAdmin;
use crate::http::grape::ParameterReader;
use crate::http::rest::RestState;
use crate::http::rest::entities::user::AdminUserShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::RestParams;
use crate::services::write_user::{self, UserWish};

/// Makes an account with a personal namespace.
///
/// # Errors
/// 409 for an address or a name that another user has, 400 for all else that is wrong.
#[utoipa::path(
    post,
    path = "/users",
    request_body = UserParameters,
    responses(
        (status = 201, body = AdminUserShape),
        (status = 409, description = "Another user has the address or the name", body = inline(crate::http::openapi::FailureResponse))
    )
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    params: RestParams,
) -> Result<Created<Json<AdminUserShape>>, RestRefusal> {
    let wish = params.read(declare)?;
    let author = admin.caller().author();
    let id = write_user::create(&state.db, wish, &author, state.clock.now()).await?;
    let shape = state.admin_shapes(&[id.0]).await?.pop().ok_or(RestRefusal::NotFound("User"))?;
    Ok((StatusCode::CREATED, Json(shape)))
}

fn declare(reader: &mut ParameterReader<'_>) -> UserWish {
    for name in ["email", "name", "username"] {
        reader.required::<String>(name);
    }
    reader.at_least_one(&["password", "reset_password", "force_random_password"]);
    let random: [bool; 2] =
        ["reset_password", "force_random_password"].map(|name| reader.optional(name).value().unwrap_or_default());
    let confirmed = reader.optional("skip_confirmation").value().unwrap_or_default();
    let wish = wish::declare(reader);
    let password = wish.password.filter(|_| !random.contains(&true));
    let or_empty = |text: Option<String>| Some(text.unwrap_or_default());
    UserWish {
        email: or_empty(wish.email),
        username: or_empty(wish.username),
        name: or_empty(wish.name),
        confirmed,
        password,
        ..wish
    }
}
