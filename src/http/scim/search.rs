//! `POST /.search`: the resources of every type that a filter finds, users before groups (RFC 7644, section 3.4.3).

use axum::extract::State;
use axum::response::Response;

use super::error::ScimError;
use super::list_request::{ScimListPage, ScimListRequest};
use super::schemas::{ScimErrorResponse, ScimListResponse, ScimResource, ScimSearchRequest};
use super::{ScimState, groups, users};
use crate::domain::scim::tenant::ScimTenant;
use crate::http::auth::scim::ScimCaller;
use crate::store::scim_search::ScimPage;

/// The resources of every type on the page that the body asks for, users first.
///
/// A type that does not know what the filter asks for has nothing to show.
///
/// # Errors
/// 400 for a body that is no JSON object, 412 for a filter that no type can use.
#[utoipa::path(
    post,
    path = "/.search",
    request_body = ScimSearchRequest,
    responses(
        (status = 200, body = ScimListResponse<ScimResource>),
        (status = 412, description = "The filter cannot be used of any type", body = ScimErrorResponse)
    )
)]
pub async fn search(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    request: ScimListRequest,
) -> Result<Response, ScimError> {
    let page = request.page();
    let users = where_known(users::list::find(&scim, &caller, &request, page).await)?;
    let before = users.as_ref().map_or(0, |users| users.total);
    let shown = users.as_ref().map_or(0, |users| i64::try_from(users.resources.len()).unwrap_or(page.limit));
    let rest = ScimPage { offset: (page.offset - before).max(0), limit: page.limit - shown };
    let groups = match caller.tenant() {
        ScimTenant::Group(_) => None,
        ScimTenant::Instance => where_known(groups::list::find(&scim, &caller, &request, rest).await)?,
    };
    let found = match (users, groups) {
        (None, None) => return Err(ScimError::UnsupportedFilter),
        (Some(found), None) | (None, Some(found)) => found,
        (Some(mut users), Some(groups)) => {
            users.resources.extend(groups.resources);
            ScimListPage { total: before + groups.total, limit: shown + groups.limit, ..users }
        }
    };
    Ok(found.answer(page))
}

fn where_known(found: Result<ScimListPage, ScimError>) -> Result<Option<ScimListPage>, ScimError> {
    match found {
        Err(ScimError::UnsupportedFilter) => Ok(None),
        found => found.map(Some),
    }
}
