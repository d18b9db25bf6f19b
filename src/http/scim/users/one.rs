//! `GET /Users/{id}`: one user, active or not.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::resource;
use crate::domain::scim::filter::FilterOperator;
use crate::domain::scim::search::{ScimUserOrder, USER_SCHEMA, UserCondition, UserTextField};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::schemas::{ScimProjectionQuery, ScimReadHeaders, ScimUser, ScimUserPath};
use crate::http::scim::{ScimState, projection_of, version};
use crate::store::scim_search::{self, ScimPage, ScimUserRow};

/// One user, active or not.
///
/// # Errors
/// 404 where nobody in the scope has the id.
#[utoipa::path(
    get,
    path = "/Users/{id}",
    params(ScimUserPath, ScimProjectionQuery, ScimReadHeaders),
    responses(
        (status = 200, body = ScimUser),
        (status = 304, description = "The client has that version")
    )
)]
pub async fn get(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ScimError> {
    let found = find(&scim, &caller, &id).await?;
    if let Some(answer) = version::not_modified(&headers, found.updated_at) {
        return Ok(answer);
    }
    Ok(resource::answer(&caller, &found, &projection_of(USER_SCHEMA, query.as_deref()), StatusCode::OK))
}

/// The user of that id, in any letter case.
///
/// # Errors
/// 404 where there is none.
pub async fn find(scim: &ScimState, caller: &ScimCaller, id: &str) -> Result<ScimUserRow, ScimError> {
    let condition = UserCondition::Text(UserTextField::Id, FilterOperator::Equal, id.to_owned());
    let page = ScimPage { offset: 0, limit: 2 };
    let found = scim_search::list(&scim.db, caller.scope(), Some(&condition), ScimUserOrder::default(), page).await?;
    found.users.into_iter().next().ok_or_else(|| ScimError::NoSuchResource(id.to_owned()))
}
