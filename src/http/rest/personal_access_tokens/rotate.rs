//! `POST /personal_access_tokens/:id/rotate` and `…/self/rotate`: a new token in the place of another.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use utoipa::ToSchema;

use crate::domain::personal_access_token::opens_administration;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::PathId;
use crate::http::rest::params::RestParams;
use crate::services::personal_tokens;

/// Until when the new token is good.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct RotationParameters {
    /// The day from which on it is dead; a week from today where none is named.
    expires_at: Option<String>,
}

/// Takes a token back and makes one like it; its text is in this answer and nowhere else.
///
/// # Errors
/// 400 for one that was taken back; 401 for others than its owner and administrators, and for one with scopes of
/// administrators where the caller is none by the token at hand; 404 where there is none.
#[utoipa::path(
    post,
    path = "/personal_access_tokens/{id}/rotate",
    params(("id" = i64, Path, description = "The token's id")),
    request_body = RotationParameters,
    responses((status = 200, body = TokenShape))
)]
pub async fn rotate(
    State(state): State<RestState>,
    caller: RestCaller,
    id: PathId,
    params: RestParams,
) -> Result<Json<TokenShape>, RestRefusal> {
    let row = state.visible_token(&caller, id.number()).await?;
    // The text of the new one would give its reader what administrators keep out of their everyday tokens.
    if !caller.is_admin() && row.id != caller.token().id && opens_administration(&row.scopes()) {
        return Err(RestRefusal::Unauthorized);
    }
    replace(&state, &caller, row.id, &params).await
}

/// Does that to the token that the request came with.
///
/// # Errors
/// 400 for an end that is too late.
#[utoipa::path(
    post,
    path = "/personal_access_tokens/self/rotate",
    request_body = RotationParameters,
    responses((status = 200, body = TokenShape))
)]
pub async fn rotate_own(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Json<TokenShape>, RestRefusal> {
    replace(&state, &caller, caller.token().id, &params).await
}

async fn replace(
    state: &RestState,
    caller: &RestCaller,
    id: i64,
    params: &RestParams,
) -> Result<Json<TokenShape>, RestRefusal> {
    let end = params.read(|reader| reader.optional::<NaiveDate>("expires_at"))?.value();
    let (author, now) = (caller.author(), state.clock.now());
    let minted = personal_tokens::rotate(&state.db, &state.secrets.db_key_base, id, end, &author, now).await?;
    state.minted_shape(minted).await.map(Json)
}
