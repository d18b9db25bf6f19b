//! `POST /groups/{id}/archive` and `/unarchive`: nobody pushes to what is in it, or they do again.

use axum::Json;
use axum::extract::State;

use crate::domain::level::AccessLevel;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupDetailShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundGroup;
use crate::services::move_group;

/// Archives a group.
#[utoipa::path(
    post,
    path = "/groups/{id}/archive",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    responses(
        (status = 200, body = GroupDetailShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It is so already")
    )
)]
pub async fn archive(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
) -> Result<Json<GroupDetailShape>, RestRefusal> {
    set(&state, &caller, &group, true).await
}

/// Takes a group out of the archive.
#[utoipa::path(
    post,
    path = "/groups/{id}/unarchive",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    responses(
        (status = 200, body = GroupDetailShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It is so already")
    )
)]
pub async fn unarchive(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
) -> Result<Json<GroupDetailShape>, RestRefusal> {
    set(&state, &caller, &group, false).await
}

async fn set(
    state: &RestState,
    caller: &RestCaller,
    group: &FoundGroup,
    archived: bool,
) -> Result<Json<GroupDetailShape>, RestRefusal> {
    group.require(RestOperation::ChangeGroup)?;
    move_group::archive(&state.db, group.id, archived, &caller.acting(), state.clock.now()).await?;
    state.group_detail(caller, group.id.0, AccessLevel::OWNER, false).await.map(Json)
}
