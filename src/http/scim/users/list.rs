//! `GET /Users` and `POST /Users/.search`: the users that a filter finds, page by page.

use axum::extract::State;
use axum::response::Response;

use super::resource;
use crate::domain::scim::search::{USER_SCHEMA, condition};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::ScimState;
use crate::http::scim::error::ScimError;
use crate::http::scim::list_request::{ScimListPage, ScimListRequest};
use crate::http::scim::schemas::{
    ScimErrorResponse, ScimListQuery, ScimListResponse, ScimProjectionQuery, ScimSearchRequest, ScimUser,
};
use crate::store::scim_search::{self, FoundScimUsers, ScimPage};

/// The users on the page that is asked for.
///
/// # Errors
/// 400 for a body that is no JSON object, 412 for a filter that cannot be used.
#[utoipa::path(
    get,
    path = "/Users",
    params(ScimListQuery, ScimProjectionQuery),
    responses(
        (status = 200, body = ScimListResponse<ScimUser>),
        (status = 400, description = "The filter is not UTF-8", body = ScimErrorResponse),
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

/// The users on the page that the body asks for.
///
/// What is asked for stays out of logs and URLs.
///
/// # Errors
/// As of [`list`].
#[utoipa::path(
    post,
    path = "/Users/.search",
    request_body = ScimSearchRequest,
    responses(
        (status = 200, body = ScimListResponse<ScimUser>),
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

/// The users on a page of what is asked for.
///
/// # Errors
/// 412 for a filter that cannot be used.
pub async fn find(
    scim: &ScimState,
    caller: &ScimCaller,
    request: &ScimListRequest,
    page: ScimPage,
) -> Result<ScimListPage, ScimError> {
    let filter = request.filter()?;
    let condition = filter.as_ref().map(condition).transpose().map_err(|_| ScimError::UnsupportedFilter)?;
    // While a group's SAML is switched off, GitLab shows nobody.
    let found = if caller.tenant().lists_users() {
        scim_search::list(&scim.db, caller.scope(), condition.as_ref(), request.order(), page).await?
    } else {
        FoundScimUsers { users: Vec::new(), total: 0 }
    };
    let projection = request.projection(USER_SCHEMA);
    let resources = found.users.iter().map(|found| resource::render(caller, found, &projection)).collect();
    Ok(ScimListPage { resources, total: found.total, limit: page.limit })
}
