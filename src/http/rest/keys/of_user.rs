//! `/users/:id/keys`: the SSH keys of a user.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{KeyParameters, declare};
use crate::http::auth::rest::{RestAdmin, RestCaller};
use crate::http::rest::RestState;
use crate::http::rest::entities::key::KeyShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundUser, NamedUser, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;

/// The keys of a user.
///
/// # Errors
/// 404 where there is no such user.
#[utoipa::path(
    get,
    path = "/users/{id}/keys",
    params(("id" = String, Path, description = "The user's id or username"), PageQuery),
    responses((status = 200, body = Vec<KeyShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    user: NamedUser,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    Ok(page.answer_of_all(state.keys_of(&user).await?))
}

/// One key of a user.
///
/// # Errors
/// 404 where the user has no such key.
#[utoipa::path(
    get,
    path = "/users/{id}/keys/{key}",
    params(
        ("id" = String, Path, description = "The user's id or username"),
        ("key" = i64, Path, description = "The key's id")
    ),
    responses((status = 200, body = KeyShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    user: NamedUser,
    key: RowName,
) -> Result<Json<KeyShape>, RestRefusal> {
    state.key_of(&user, key.id()).await.map(Json)
}

/// Gives a user a key.
///
/// # Errors
/// 400 for a key that is none, is somebody's already, or is of a closed type.
#[utoipa::path(
    post,
    path = "/users/{id}/keys",
    params(("id" = i64, Path, description = "The user's id")),
    request_body = KeyParameters,
    responses((status = 201, body = KeyShape))
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<(StatusCode, Json<KeyShape>), RestRefusal> {
    let wish = params.read(declare)?;
    Ok((StatusCode::CREATED, Json(state.add_key(&user, wish, admin.caller()).await?)))
}

/// Takes a key from a user.
///
/// # Errors
/// 404 where the user has no such key.
#[utoipa::path(
    delete,
    path = "/users/{id}/keys/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = i64, Path, description = "The key's id"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "The key is gone"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    key: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    state.remove_key(&user, key.id(), unmodified, admin.caller()).await?;
    Ok(StatusCode::NO_CONTENT)
}
