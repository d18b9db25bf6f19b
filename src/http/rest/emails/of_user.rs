//! `/users/:id/emails`: the further addresses of a user, for administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{EmailParameters, EmailShape};
use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundUser, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;

/// The further addresses of a user.
///
/// # Errors
/// 404 where there is no such user.
#[utoipa::path(
    get,
    path = "/users/{id}/emails",
    params(("id" = i64, Path, description = "The user's id"), PageQuery),
    responses((status = 200, body = Vec<EmailShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    Ok(page.answer_of_all(state.emails_of(UserId(user.id)).await?))
}

/// One further address of a user.
///
/// # Errors
/// 404 where the user has none such.
#[utoipa::path(
    get,
    path = "/users/{id}/emails/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = i64, Path, description = "The address's id")
    ),
    responses((status = 200, body = EmailShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _admin: RestAdmin,
    user: FoundUser,
    email: RowName,
) -> Result<Json<EmailShape>, RestRefusal> {
    state.email_of(UserId(user.id), email.id()).await.map(Json)
}

/// Gives a user a further address.
///
/// # Errors
/// 400 for one that is none, or is somebody's already.
#[utoipa::path(
    post,
    path = "/users/{id}/emails",
    params(("id" = i64, Path, description = "The user's id")),
    request_body = EmailParameters,
    responses((status = 201, body = EmailShape))
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<(StatusCode, Json<EmailShape>), RestRefusal> {
    let (email, confirmed) = params.read(|reader| {
        let email = reader.required::<String>("email").value().unwrap_or_default();
        (email, reader.optional("skip_confirmation").value().unwrap_or_default())
    })?;
    let row = state.add_email(UserId(user.id), &email, confirmed, admin.caller()).await?;
    Ok((StatusCode::CREATED, Json(row)))
}

/// Takes a further address from a user.
///
/// # Errors
/// 404 where the user has none such.
#[utoipa::path(
    delete,
    path = "/users/{id}/emails/{key}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("key" = i64, Path, description = "The address's id"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "The address is gone"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    email: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    state.remove_email(UserId(user.id), email.id(), unmodified, admin.caller()).await?;
    Ok(StatusCode::NO_CONTENT)
}
