//! `/user/keys`: one's own SSH keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KeyParameters, declare};
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::key::KeyShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;

/// One's own keys.
#[utoipa::path(
    get,
    path = "/user/keys",
    params(PageQuery),
    responses((status = 200, body = Vec<KeyShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    let user = state.caller_row(&caller).await?;
    Ok(page.answer_of_all(state.keys_of(&user).await?))
}

/// One of one's own keys.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    get,
    path = "/user/keys/{key}",
    params(("key" = i64, Path, description = "The key's id")),
    responses((status = 200, body = KeyShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    key: RowName,
) -> Result<Json<KeyShape>, RestRefusal> {
    let user = state.caller_row(&caller).await?;
    state.key_of(&user, key.id()).await.map(Json)
}

/// Adds a key to one's own account.
///
/// # Errors
/// 400 for a key that is none, is somebody's already, or is of a closed type; 403 for bots, whose keys would outlive
/// their token.
#[utoipa::path(
    post,
    path = "/user/keys",
    request_body = KeyParameters,
    responses((status = 201, body = KeyShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<(StatusCode, Json<KeyShape>), RestRefusal> {
    caller.no_bot()?;
    let wish = params.read(declare)?;
    let user = state.caller_row(&caller).await?;
    Ok((StatusCode::CREATED, Json(state.add_key(&user, wish, &caller).await?)))
}

/// Takes a key from one's own account.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    delete,
    path = "/user/keys/{key}",
    params(("key" = i64, Path, description = "The key's id"), UnmodifiedSince),
    responses((status = 204, description = "The key is gone"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    key: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    let user = state.caller_row(&caller).await?;
    state.remove_key(&user, key.id(), unmodified, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
