//! `/projects/:id/hooks`: the web hooks of a project.

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
use crate::http::rest::found::{FoundProject, RowName, Trigger};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::store::web_hooks::HookOwner;

/// The hooks, the oldest first.
#[utoipa::path(
    get,
    path = "/projects/{id}/hooks",
    params(("id" = String, Path, description = "The project: its id or its full path"), PageQuery),
    responses((status = 200, body = Vec<HookShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    common::list(&state, HookOwner::Project(project.id), &params).await
}

/// A hook.
#[utoipa::path(
    get,
    path = "/projects/{id}/hooks/{key}",
    params(("id" = String, Path, description = "The project: its id or its full path"), ("key" = i64, Path, description = "The hook")),
    responses((status = 200, body = HookShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    name: RowName,
) -> Result<Json<HookShape>, RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    common::show(&state, HookOwner::Project(project.id), hook_id(&name)?).await
}

/// Makes a hook.
///
/// # Errors
/// 422 for a URL that hooks may not go to.
#[utoipa::path(
    post,
    path = "/projects/{id}/hooks",
    params(("id" = String, Path, description = "The project: its id or its full path")),
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
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<HookShape>), RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    let change = state.change_in_project(&caller, &project);
    common::create(&state, &change, HookOwner::Project(project.id), &params).await
}

/// Changes a hook. Its token stays, unless it is stated or the URL is a new one.
///
/// # Errors
/// 422 for a URL that hooks may not go to.
#[utoipa::path(
    put,
    path = "/projects/{id}/hooks/{key}",
    params(("id" = String, Path, description = "The project: its id or its full path"), ("key" = i64, Path, description = "The hook")),
    request_body(content = HookParameters, example = json!({ "url": "https://ci.example.com/hook" })),
    responses(
        (status = 200, body = HookShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "Hooks may not go there")
    )
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
    params: RestParams,
) -> Result<Json<HookShape>, RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    let change = state.change_in_project(&caller, &project);
    common::update(&state, &change, HookOwner::Project(project.id), hook_id(&name)?, &params).await
}

/// Removes a hook, with what waits to be delivered to it.
#[utoipa::path(
    delete,
    path = "/projects/{id}/hooks/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The hook"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    common::delete(
        &state,
        unmodified,
        &state.change_in_project(&caller, &project),
        HookOwner::Project(project.id),
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
    path = "/projects/{id}/hooks/{key}/test/{trigger}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"), ("key" = i64, Path, description = "The hook"),
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
    project: FoundProject,
    name: RowName,
    Trigger(trigger): Trigger,
) -> Result<(StatusCode, Json<TestedHook>), RestRefusal> {
    project.require(RestOperation::ManageProjectHooks)?;
    let change = state.change_in_project(&caller, &project);
    common::test(&state, &change, HookOwner::Project(project.id), hook_id(&name)?, &trigger).await
}
