//! `/projects/:id/push_rule`: what commits and pushes to a project must be like.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::shape::{self, PushRuleParameters, PushRuleShape};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::set_push_rule;
use crate::store::push_rules::{self, PushRuleOwner};

const EXISTS: &str = "Project push rule exists";

/// The project's push rule; null where it has none, as clients want it.
#[utoipa::path(
    get,
    path = "/projects/{id}/push_rule",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    responses((status = 200, body = Option<PushRuleShape>))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
) -> Result<Json<Option<PushRuleShape>>, RestRefusal> {
    require(&project)?;
    let mut connection = state.db.acquire().await?;
    let rule = push_rules::find_of(&mut connection, PushRuleOwner::Project(project.id)).await?;
    Ok(Json(rule.map(|rule| PushRuleShape::of(rule, Some(project.id.0)))))
}

/// Makes the project's push rule.
///
/// # Errors
/// 422 where there is one.
#[utoipa::path(
    post,
    path = "/projects/{id}/push_rule",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = PushRuleParameters, example = json!({ "deny_delete_tag": true })),
    responses(
        (status = 201, body = PushRuleShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "There is one")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<PushRuleShape>), RestRefusal> {
    require(&project)?;
    let stated = params.read(shape::declare)?;
    let change = state.change_in_project(&caller, &project);
    let made = set_push_rule::create(&change, PushRuleOwner::Project(project.id), &stated).await;
    let rule = made.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push Rule")))?;
    Ok((StatusCode::CREATED, Json(PushRuleShape::of(rule, Some(project.id.0)))))
}

/// Changes the project's push rule.
#[utoipa::path(
    put,
    path = "/projects/{id}/push_rule",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = PushRuleParameters, example = json!({ "branch_name_regex": "^(main|feature/.*)$" })),
    responses((status = 200, body = PushRuleShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Json<PushRuleShape>, RestRefusal> {
    require(&project)?;
    let stated = params.read(shape::declare)?;
    let change = state.change_in_project(&caller, &project);
    let changed = set_push_rule::update(&change, PushRuleOwner::Project(project.id), &stated).await;
    let rule = changed.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push Rule")))?;
    Ok(Json(PushRuleShape::of(rule, Some(project.id.0))))
}

/// Removes the project's push rule.
#[utoipa::path(
    delete,
    path = "/projects/{id}/push_rule",
    params(("id" = String, Path, description = "The project: its id or its full path"), UnmodifiedSince),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    require(&project)?;
    let rule = push_rules::find_of(&mut *state.db.acquire().await?, PushRuleOwner::Project(project.id)).await?;
    unmodified.check(rule.and_then(|rule| rule.updated_at))?;
    let change = state.change_in_project(&caller, &project);
    let removed = set_push_rule::remove(&change, PushRuleOwner::Project(project.id)).await;
    removed.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push Rule")))?;
    Ok(StatusCode::NO_CONTENT)
}

fn require(project: &FoundProject) -> Result<(), RestRefusal> {
    project.require(RestOperation::ManageProjectPushRule)
}
