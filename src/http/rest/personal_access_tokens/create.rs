//! `POST /users/:id/personal_access_tokens` and `/user/personal_access_tokens`: a new token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{Days, NaiveDate};

use super::{TokenParameters, declare};
use crate::domain::ids::UserId;
use crate::http::auth::rest::{RestAdmin, RestCaller};
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::http::rest::params::RestParams;
use crate::services::personal_tokens::TokenWish;

/// Makes a token for a user; its text is in this answer and nowhere else.
///
/// # Errors
/// 400 for scopes that the user may not have, 422 for an end that is too late.
#[utoipa::path(
    post,
    path = "/users/{id}/personal_access_tokens",
    params(("id" = i64, Path, description = "The user's id")),
    request_body = TokenParameters,
    responses(
        (status = 201, body = TokenShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "The end is too late")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<(StatusCode, Json<TokenShape>), RestRefusal> {
    let wish = params.read(|reader| declare(reader, UserId(user.id), false))?;
    Ok((StatusCode::CREATED, Json(state.make_token(wish, admin.caller()).await?)))
}

/// Makes a token for oneself, which may do no more than reach clusters, until tomorrow where no end is named.
///
/// # Errors
/// 400 for any other scope, 422 for an end that is too late, 403 for bots.
#[utoipa::path(
    post,
    path = "/user/personal_access_tokens",
    request_body = TokenParameters,
    responses(
        (status = 201, body = TokenShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "The end is too late")
    )
)]
pub async fn create_own(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<(StatusCode, Json<TokenShape>), RestRefusal> {
    caller.no_bot()?;
    let tomorrow = state.clock.now().date_naive().checked_add_days(Days::new(1));
    let wish = params.read(|reader| {
        let wish = declare(reader, caller.id(), false);
        if wish.scopes.iter().any(|scope| scope != "k8s_proxy") {
            reader.refuse("scopes", "does not have a valid value");
        }
        let expires_at: Option<NaiveDate> = wish.expires_at.or(tomorrow);
        TokenWish { expires_at, ..wish }
    })?;
    Ok((StatusCode::CREATED, Json(state.make_token(wish, &caller).await?)))
}
