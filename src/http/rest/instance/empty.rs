//! `GET /topics` and `/admin/ci/variables`: lists of what is not here, which clients ask for as they start.

use axum::extract::State;
use axum::response::Response;

use crate::http::auth::rest::{RestAdmin, RestCaller};
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};

/// Topics of projects, of which there are none.
///
/// # Errors
/// 400 for a page that is none.
#[utoipa::path(
    get,
    path = "/topics",
    params(PageQuery),
    responses((status = 200, body = Vec<Object>, example = json!([])))
)]
pub async fn topics(
    State(_state): State<RestState>,
    _caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    Ok(page.answer_of_all::<String>(Vec::new()))
}

/// Variables of pipelines, of which there are none.
///
/// # Errors
/// 400 for a page that is none, 403 for others than administrators.
#[utoipa::path(
    get,
    path = "/admin/ci/variables",
    params(PageQuery),
    responses((status = 200, body = Vec<Object>, example = json!([])))
)]
pub async fn variables(
    State(_state): State<RestState>,
    _admin: RestAdmin,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((), page) = params.read_list(|_| ())?;
    Ok(page.answer_of_all::<String>(Vec::new()))
}
