//! `GET /license`: there is none, and clients that ask take it so.

use crate::http::auth::rest::RestCaller;
use crate::http::rest::fault::RestRefusal;

/// Always 404, as of GitLab's free edition.
///
/// # Errors
/// Always 404.
#[utoipa::path(
    get,
    path = "/license",
    responses((status = 404, description = "There is no license", body = inline(crate::http::openapi::FailureResponse)))
)]
pub async fn show(_caller: RestCaller) -> RestRefusal {
    RestRefusal::NoSuchRoute
}
