//! `GET /Groups` and `POST /Groups/.search`: the provider's groups that are tied to groups here, page by page.

use axum::extract::State;
use axum::response::Response;

use super::resource;
use crate::domain::scim::group::{GROUP_SCHEMA, display_name};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::ScimState;
use crate::http::scim::error::ScimError;
use crate::http::scim::list_request::{ScimListPage, ScimListRequest};
use crate::http::scim::schemas::{
    ScimErrorResponse, ScimGroup, ScimListQuery, ScimListResponse, ScimProjectionQuery, ScimSearchRequest,
};
use crate::store::scim_groups;
use crate::store::scim_search::ScimPage;

/// The groups on the page that is asked for.
///
/// The only filter is `displayName eq`.
///
/// # Errors
/// 400 for a body that is no JSON object, 412 for a filter other than `displayName eq`.
#[utoipa::path(
    get,
    path = "/Groups",
    params(ScimListQuery, ScimProjectionQuery),
    responses(
        (status = 200, body = ScimListResponse<ScimGroup>),
        (
            status = 400,
            description = "The filter is not UTF-8, or there are more members than one answer holds",
            body = ScimErrorResponse
        ),
        (status = 412, description = "The filter cannot be used", body = ScimErrorResponse)
    )
)]
pub async fn list(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    request: ScimListRequest,
) -> Result<Response, ScimError> {
    let page = request.page();
    Ok(find(&scim, &caller, &request, page).await?.answer(page))
}

/// The groups on the page that the body asks for.
///
/// What is asked for stays out of logs and URLs. The only filter is `displayName eq`.
///
/// # Errors
/// As of [`list`].
#[utoipa::path(
    post,
    path = "/Groups/.search",
    request_body = ScimSearchRequest,
    responses(
        (status = 200, body = ScimListResponse<ScimGroup>),
        (status = 412, description = "The filter cannot be used", body = ScimErrorResponse)
    )
)]
pub async fn search(
    scim: State<ScimState>,
    caller: ScimCaller,
    request: ScimListRequest,
) -> Result<Response, ScimError> {
    list(scim, caller, request).await
}

/// The groups on a page of what is asked for, fewer where the members of more would not fit into an answer.
///
/// # Errors
/// 412 for a filter other than `displayName eq`, 400 where not even the first group's members fit.
pub async fn find(
    scim: &ScimState,
    caller: &ScimCaller,
    request: &ScimListRequest,
    page: ScimPage,
) -> Result<ScimListPage, ScimError> {
    let filter = request.filter()?;
    let name = filter.as_ref().map(display_name).transpose().map_err(|_| ScimError::UnsupportedFilter)?;
    let projection = request.projection(GROUP_SCHEMA);
    let (mut groups, total) = scim_groups::list(scim.db.pool(), name, request.group_order(), page).await?;
    let asked = groups.len();
    let members = resource::members(scim, &mut groups, &projection).await?;
    let limit = if groups.len() < asked { i64::try_from(groups.len()).unwrap_or(page.limit) } else { page.limit };
    let resources = groups.iter().map(|group| resource::render(caller, group, &members, &projection)).collect();
    Ok(ScimListPage { resources, total, limit })
}
