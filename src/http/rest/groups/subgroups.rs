//! `GET /groups/{id}/subgroups` and `/descendant_groups`: what is in a group, and in all below it?

use axum::extract::State;
use axum::response::Response;

use super::list::{GroupListQuery, page};
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundGroup;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::groups::GroupScope;

/// The groups directly in a group.
#[utoipa::path(
    get,
    path = "/groups/{id}/subgroups",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        GroupListQuery,
        PageQuery
    ),
    responses((status = 200, body = [GroupShape]))
)]
pub async fn children(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    page(&state, &caller, &params, GroupScope::Children(group.id)).await
}

/// All groups below a group.
#[utoipa::path(
    get,
    path = "/groups/{id}/descendant_groups",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        GroupListQuery,
        PageQuery
    ),
    responses((status = 200, body = [GroupShape]))
)]
pub async fn descendants(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    page(&state, &caller, &params, GroupScope::Descendants(group.id)).await
}
