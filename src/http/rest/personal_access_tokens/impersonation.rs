//! `/users/:id/impersonation_tokens`: tokens by which administrators act as a user.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{TokenParameters, declare};
use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::pages::MOST_COUNTED;
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundUser, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::personal_tokens;
use crate::store::rest::tokens::{self, ListedToken, TokenFilter};

/// The impersonation tokens of a user.
///
/// # Errors
/// 404 where there is no such user.
#[utoipa::path(
    get,
    path = "/users/{id}/impersonation_tokens",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("state" = Option<String>, Query, description = "`all`, `active` or `inactive`"),
        PageQuery
    ),
    responses((status = 200, body = Vec<TokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let states = [("all", None), ("active", Some(true)), ("inactive", Some(false))];
    let (active, page) = params.read_list(|reader| reader.choice("state", &states))?;
    let filter = TokenFilter {
        user: Some(UserId(user.id)),
        impersonation: Some(true),
        active: active.value().flatten(),
        ..TokenFilter::default()
    };
    let (pool, today) = (state.db.pool(), state.clock.now().date_naive());
    let rows = tokens::list(pool, &filter, None, today, (page.limit(), page.offset())).await?;
    let (rows, more) = page.cut(rows);
    let total = page.total(rows.len(), more, tokens::count(pool, &filter, today, MOST_COUNTED + 1)).await?;
    let rows: Vec<TokenShape> = rows.into_iter().map(|row| TokenShape::of(row, today)).collect();
    Ok(page.answer(&rows, more, total))
}

/// Makes a token by which an administrator acts as the user.
///
/// # Errors
/// 400 for scopes that the user may not have, and for an end that is too late.
#[utoipa::path(
    post,
    path = "/users/{id}/impersonation_tokens",
    params(("id" = i64, Path, description = "The user's id")),
    request_body = TokenParameters,
    responses((status = 201, body = TokenShape))
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<(StatusCode, Json<TokenShape>), RestRefusal> {
    let wish = params.read(|reader| declare(reader, UserId(user.id), true))?;
    Ok((StatusCode::CREATED, Json(state.make_token(wish, admin.caller()).await?)))
}

async fn find(state: &RestState, user: &FoundUser, id: &RowName) -> Result<ListedToken, RestRefusal> {
    const GONE: RestRefusal = RestRefusal::NotFound("Impersonation Token");
    let row = tokens::find(state.db.pool(), id.id().ok_or(GONE)?).await?;
    row.filter(|row| row.impersonation && row.user_id == user.id).ok_or(GONE)
}

/// One impersonation token of a user, without its text.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    get,
    path = "/users/{id}/impersonation_tokens/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = i64, Path, description = "The token's id")
    ),
    responses((status = 200, body = TokenShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _admin: RestAdmin,
    user: FoundUser,
    token: RowName,
) -> Result<Json<TokenShape>, RestRefusal> {
    let row = find(&state, &user, &token).await?;
    Ok(Json(TokenShape::of(row, state.clock.now().date_naive())))
}

/// Takes an impersonation token back.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    delete,
    path = "/users/{id}/impersonation_tokens/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = i64, Path, description = "The token's id"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "The token is revoked"), UnmodifiedSince)
)]
pub async fn revoke(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    token: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    let row = find(&state, &user, &token).await?;
    unmodified.check(Some(row.updated_at))?;
    personal_tokens::revoke(&state.db, row.id, &admin.caller().author(), state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
