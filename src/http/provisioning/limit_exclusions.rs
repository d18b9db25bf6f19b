//! `GET /namespaces/storage/limit_exclusions`: which namespaces have no limit on their storage? (provisioning.md 6)

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};

use super::ProvisioningState;
use super::limit_exclusion::{ExclusionResponse, only_with_limits};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::http::pages::{ListPage, MOST_COUNTED};
use crate::store::storage_exclusions;

const PATH: &str = "/api/v4/namespaces/storage/limit_exclusions";

/// A page of exclusions, by their ids.
///
/// # Errors
/// 400 for a page that is none.
#[utoipa::path(
    get,
    path = "/namespaces/storage/limit_exclusions",
    params(
        ("page" = Option<i32>, Query, description = "Which page; 1 where none is named"),
        ("per_page" = Option<i32>, Query, description = "Rows of a page: 20, or up to 100")
    ),
    responses((
        status = 200,
        body = Vec<ExclusionResponse>,
        headers(
            ("Link" = String, description = "The other pages"),
            ("X-Page" = String), ("X-Per-Page" = String), ("X-Next-Page" = String), ("X-Prev-Page" = String),
            ("X-Total" = String), ("X-Total-Pages" = String)
        )
    ))
)]
pub async fn list(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    uri: Uri,
    parameters: GrapeParameters,
) -> Result<(HeaderMap, Json<Vec<ExclusionResponse>>), ApiError> {
    let page = parameters.read(ListPage::declare)?;
    only_with_limits(&state)?;
    let total = storage_exclusions::count(state.db.pool(), MOST_COUNTED + 1).await?;
    let mut rows = storage_exclusions::list(state.db.pool(), page.size() + 1, page.offset()).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|rows| rows > page.size());
    rows.truncate(usize::try_from(page.size()).unwrap_or(usize::MAX));
    let headers = page.headers(&format!("{}{PATH}", state.url), uri.query().unwrap_or_default(), total, more);
    Ok((headers, Json(rows.into_iter().map(|(exclusion, name)| ExclusionResponse::of(exclusion, name)).collect())))
}
