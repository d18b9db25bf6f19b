//! `/user/emails`: one's own further addresses.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{EmailParameters, EmailShape};
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;

/// One's own further addresses.
#[utoipa::path(
    get,
    path = "/user/emails",
    params(PageQuery),
    responses((status = 200, body = Vec<EmailShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    Ok(page.answer_of_all(state.emails_of(caller.id()).await?))
}

/// One of one's own further addresses.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    get,
    path = "/user/emails/{key}",
    params(("key" = i64, Path, description = "The address's id")),
    responses((status = 200, body = EmailShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    email: RowName,
) -> Result<Json<EmailShape>, RestRefusal> {
    state.email_of(caller.id(), email.id()).await.map(Json)
}

/// Adds a further address to one's own account. No mail leaves us, so that it waits for an administrator who confirms
/// it.
///
/// # Errors
/// 400 for one that is none, or is somebody's already; 403 for bots.
#[utoipa::path(
    post,
    path = "/user/emails",
    request_body = EmailParameters,
    responses((status = 201, body = EmailShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<(StatusCode, Json<EmailShape>), RestRefusal> {
    caller.no_bot()?;
    let email = params.read(|reader| reader.required::<String>("email").value().unwrap_or_default())?;
    Ok((StatusCode::CREATED, Json(state.add_email(caller.id(), &email, false, &caller).await?)))
}

/// Takes a further address from one's own account.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    delete,
    path = "/user/emails/{key}",
    params(("key" = i64, Path, description = "The address's id"), UnmodifiedSince),
    responses((status = 204, description = "The address is gone"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    email: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    state.remove_email(caller.id(), email.id(), unmodified, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
