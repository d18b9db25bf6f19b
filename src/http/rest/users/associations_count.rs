//! `GET /users/:id/associations_count`: how much hangs on this account?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::store::rest::user_places;

/// How much there is of each; of issues and merge requests we have none.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "GitLab's names")]
pub struct AssociationsResponse {
    groups_count: i64,
    projects_count: i64,
    issues_count: i64,
    merge_requests_count: i64,
}

/// The numbers of an account, for administrators and its owner.
///
/// # Errors
/// 403 for others.
#[utoipa::path(
    get,
    path = "/users/{id}/associations_count",
    params(("id" = i64, Path, description = "The user's id")),
    responses((status = 200, body = AssociationsResponse))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    user: FoundUser,
) -> Result<Json<AssociationsResponse>, RestRefusal> {
    if !caller.is_admin() && caller.id().0 != user.id {
        return Err(RestRefusal::Forbidden);
    }
    let (groups_count, projects_count) = user_places::count(state.db.pool(), UserId(user.id)).await?;
    Ok(Json(AssociationsResponse { groups_count, projects_count, issues_count: 0, merge_requests_count: 0 }))
}
