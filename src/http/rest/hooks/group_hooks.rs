//! `/groups/:id/hooks`: the web hooks of a group, which are told of all projects below it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::common::{self, TestedHook, hook_id};
use super::shape::{HookParameters, HookShape};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName, Trigger};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::store::web_hooks::HookOwner;

/// The hooks, the oldest first.
#[utoipa::path(
    get,
    path = "/groups/{id}/hooks",
    params(("id" = String, Path, description = "The group: its id or its full path"), PageQuery),
    responses((status = 200, body = Vec<HookShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    common::list(&state, HookOwner::Group(group.id), &params).await
}

/// A hook.
#[utoipa::path(
    get,
    path = "/groups/{id}/hooks/{key}",
    params(("id" = String, Path, description = "The group: its id or its full path"), ("key" = i64, Path, description = "The hook")),
    responses((status = 200, body = HookShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
    name: RowName,
) -> Result<Json<HookShape>, RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    common::show(&state, HookOwner::Group(group.id), hook_id(&name)?).await
}

/// Makes a hook.
///
/// # Errors
/// 422 for a URL that hooks may not go to.
#[utoipa::path(
    post,
    path = "/groups/{id}/hooks",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(
        content = HookParameters,
        example = json!({ "url": "https://ci.example.com/hook", "push_events": true })
    ),
    responses(
        (status = 201, body = HookShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "Hooks may not go there")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<(StatusCode, Json<HookShape>), RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    let change = state.change_in_group(&caller, &group);
    common::create(&state, &change, HookOwner::Group(group.id), &params).await
}

/// Changes a hook. Its token stays, unless it is stated or the URL is a new one.
///
/// # Errors
/// 422 for a URL that hooks may not go to.
#[utoipa::path(
    put,
    path = "/groups/{id}/hooks/{key}",
    params(("id" = String, Path, description = "The group: its id or its full path"), ("key" = i64, Path, description = "The hook")),
    request_body(content = HookParameters, example = json!({ "url": "https://ci.example.com/hook" })),
    responses(
        (status = 200, body = HookShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "Hooks may not go there")
    )
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    params: RestParams,
) -> Result<Json<HookShape>, RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    let change = state.change_in_group(&caller, &group);
    common::update(&state, &change, HookOwner::Group(group.id), hook_id(&name)?, &params).await
}

/// Removes a hook, with what waits to be delivered to it.
#[utoipa::path(
    delete,
    path = "/groups/{id}/hooks/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The hook"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    common::delete(
        &state,
        unmodified,
        &state.change_in_group(&caller, &group),
        HookOwner::Group(group.id),
        hook_id(&name)?,
    )
    .await
}

/// Sends a hook a sample of the last push.
///
/// # Errors
/// 422 where there was no push, or the receiver does not take it; 429 after five tests in a minute.
#[utoipa::path(
    post,
    path = "/groups/{id}/hooks/{key}/test/{trigger}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"), ("key" = i64, Path, description = "The hook"),
        ("trigger" = String, Path, description = "`push_events` or `tag_push_events`")
    ),
    responses(
        (status = 201, body = TestedHook),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "No push yet, or it was not taken"),
        (status = 429, body = crate::http::openapi::FailureResponse, description = "Too many tests")
    )
)]
pub async fn test(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    name: RowName,
    Trigger(trigger): Trigger,
) -> Result<(StatusCode, Json<TestedHook>), RestRefusal> {
    group.require(RestOperation::ManageGroupHooks)?;
    let change = state.change_in_group(&caller, &group);
    common::test(&state, &change, HookOwner::Group(group.id), hook_id(&name)?, &trigger).await
}
