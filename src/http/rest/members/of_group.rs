//! `/groups/{id}/members`: the members of a group.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::place::{self, AddedMembers, GROUP_LEVELS, MemberChanges, MemberListQuery, MemberParameters, Place};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::member::MemberShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::members::MemberSource;

fn source(group: &FoundGroup) -> MemberSource {
    MemberSource::Group(group.id)
}

fn place_of(group: &FoundGroup) -> Place<'_> {
    Place { source: source(group), path: &group.full_path, levels: GROUP_LEVELS }
}

/// The group's own members.
#[utoipa::path(
    get,
    path = "/groups/{id}/members",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        MemberListQuery,
        PageQuery
    ),
    responses((status = 200, body = [MemberShape]))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    place::page(&state, &params, source(&group), false).await
}

/// All who are members of the group, be it by a group around it or by a share.
#[utoipa::path(
    get,
    path = "/groups/{id}/members/all",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        MemberListQuery,
        PageQuery
    ),
    responses((status = 200, body = [MemberShape]))
)]
pub async fn list_all(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    place::page(&state, &params, source(&group), true).await
}

/// One of the group's own members.
#[utoipa::path(
    get,
    path = "/groups/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    responses((status = 200, body = MemberShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    user: RowName,
) -> Result<Json<MemberShape>, RestRefusal> {
    place::show(&state, source(&group), place::named(&user)?, false).await.map(Json)
}

/// One of all who are members of the group.
#[utoipa::path(
    get,
    path = "/groups/{id}/members/all/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    responses((status = 200, body = MemberShape))
)]
pub async fn show_of_all(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    user: RowName,
) -> Result<Json<MemberShape>, RestRefusal> {
    place::show(&state, source(&group), place::named(&user)?, true).await.map(Json)
}

/// Makes a member of a user, or of several.
#[utoipa::path(
    post,
    path = "/groups/{id}/members",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = MemberParameters, example = json!({ "user_id": "7", "access_level": 30 })),
    responses(
        (status = 201, body = AddedMembers),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "The user is a member already")
    )
)]
pub async fn add(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ManageGroupMembers)?;
    place::add(&state, &caller, &place_of(&group), &params).await
}

/// Changes a membership.
#[utoipa::path(
    put,
    path = "/groups/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The user's id")
    ),
    request_body(content = MemberChanges, example = json!({ "access_level": 30 })),
    responses((status = 200, body = MemberShape))
)]
pub async fn change(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    user: RowName,
    params: RestParams,
) -> Result<Json<MemberShape>, RestRefusal> {
    group.require(RestOperation::ManageGroupMembers)?;
    place::change(&state, &caller, &place_of(&group), &user, &params).await
}

/// Ends a membership: others' by those who manage them, one's own by oneself.
#[utoipa::path(
    delete,
    path = "/groups/{id}/members/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The user's id"),
        ("skip_subresources" = Option<bool>, Query, description = "Whether memberships below stay")
    ),
    responses((status = 204))
)]
pub async fn remove(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    user: RowName,
    params: RestParams,
) -> Result<StatusCode, RestRefusal> {
    if user.id() != Some(caller.id().0) {
        group.require(RestOperation::ManageGroupMembers)?;
    }
    place::remove(&state, &caller, &place_of(&group), &user, &params).await
}
