//! `GET` and `DELETE /personal_access_tokens/:id`: one token.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::PathId;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::personal_tokens;
use crate::store::rest::tokens::{self, ListedToken};

impl RestState {
    /// The token, for its owner and administrators.
    ///
    /// # Errors
    /// 401 for others, whether there is one or not; 404 for administrators where there is none.
    pub(super) async fn visible_token(&self, caller: &RestCaller, id: Option<i64>) -> Result<ListedToken, RestRefusal> {
        let row = match id {
            Some(id) => tokens::find(self.db.pool(), id).await?,
            None => None,
        };
        let own = |row: &ListedToken| row.user_id == caller.id().0 && !row.impersonation;
        match row {
            Some(row) if caller.is_admin() || own(&row) => Ok(row),
            None if caller.is_admin() => Err(RestRefusal::NothingFound),
            _ => Err(RestRefusal::Unauthorized),
        }
    }
}

/// A token, without its text.
///
/// # Errors
/// 401 for others than its owner and administrators, 404 for administrators where there is none.
#[utoipa::path(
    get,
    path = "/personal_access_tokens/{id}",
    params(("id" = i64, Path, description = "The token's id")),
    responses((status = 200, body = TokenShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    id: PathId,
) -> Result<Json<TokenShape>, RestRefusal> {
    let row = state.visible_token(&caller, id.number()).await?;
    Ok(Json(TokenShape::of(row, state.clock.now().date_naive())))
}

/// Takes a token back; again too.
///
/// # Errors
/// 400 for others than its owner and administrators, 404 where there is none.
#[utoipa::path(
    delete,
    path = "/personal_access_tokens/{id}",
    params(("id" = i64, Path, description = "The token's id"), UnmodifiedSince),
    responses((status = 204, description = "The token is revoked"), UnmodifiedSince)
)]
pub async fn revoke(
    State(state): State<RestState>,
    caller: RestCaller,
    id: PathId,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    let id = id.number().ok_or(RestRefusal::NoSuchRow)?;
    let row = tokens::find(state.db.pool(), id).await?.ok_or(RestRefusal::NoSuchRow)?;
    if !caller.is_admin() && (row.user_id != caller.id().0 || row.impersonation) {
        return Err(RestRefusal::BadRequest("Not permitted to revoke".to_owned()));
    }
    unmodified.check(Some(row.updated_at))?;
    personal_tokens::revoke(&state.db, id, &caller.author(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
