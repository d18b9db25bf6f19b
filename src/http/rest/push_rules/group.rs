//! `/groups/:id/push_rule`: what commits and pushes to new projects of a group must be like.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::shape::{self, PushRuleParameters, PushRuleShape};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundGroup;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::set_push_rule;
use crate::store::push_rules::{self, PushRuleOwner};

const EXISTS: &str = "Group push rule exists, try updating";

/// The group's push rule.
#[utoipa::path(
    get,
    path = "/groups/{id}/push_rule",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    responses((status = 200, body = PushRuleShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    group: FoundGroup,
) -> Result<Json<PushRuleShape>, RestRefusal> {
    require(&group)?;
    let mut connection = state.db.acquire().await?;
    let rule = push_rules::find_of(&mut connection, PushRuleOwner::Group(group.id)).await?;
    rule.map(|rule| Json(PushRuleShape::of(rule, None))).ok_or(RestRefusal::NothingFound)
}

/// Makes the group's push rule.
///
/// # Errors
/// 422 where there is one.
#[utoipa::path(
    post,
    path = "/groups/{id}/push_rule",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = PushRuleParameters, example = json!({ "deny_delete_tag": true })),
    responses(
        (status = 201, body = PushRuleShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "There is one")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<(StatusCode, Json<PushRuleShape>), RestRefusal> {
    require(&group)?;
    let stated = params.read(shape::declare)?;
    let change = state.change_in_group(&caller, &group);
    let made = set_push_rule::create(&change, PushRuleOwner::Group(group.id), &stated).await;
    let rule = made.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push Rule")))?;
    Ok((StatusCode::CREATED, Json(PushRuleShape::of(rule, None))))
}

/// Changes the group's push rule.
#[utoipa::path(
    put,
    path = "/groups/{id}/push_rule",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = PushRuleParameters, example = json!({ "branch_name_regex": "^(main|feature/.*)$" })),
    responses((status = 200, body = PushRuleShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Json<PushRuleShape>, RestRefusal> {
    require(&group)?;
    let stated = params.read(shape::declare)?;
    let change = state.change_in_group(&caller, &group);
    let changed = set_push_rule::update(&change, PushRuleOwner::Group(group.id), &stated).await;
    let rule = changed.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push rule")))?;
    Ok(Json(PushRuleShape::of(rule, None)))
}

/// Removes the group's push rule.
#[utoipa::path(
    delete,
    path = "/groups/{id}/push_rule",
    params(("id" = String, Path, description = "The group: its id or its full path"), UnmodifiedSince),
    responses((status = 204, description = "Removed"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    require(&group)?;
    let rule = push_rules::find_of(&mut *state.db.acquire().await?, PushRuleOwner::Group(group.id)).await?;
    unmodified.check(rule.and_then(|rule| rule.updated_at))?;
    let change = state.change_in_group(&caller, &group);
    let removed = set_push_rule::remove(&change, PushRuleOwner::Group(group.id)).await;
    removed.map_err(|error| shape::refusal(error, EXISTS, RestRefusal::NotFound("Push Rule")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who may not is told that there is none.
fn require(group: &FoundGroup) -> Result<(), RestRefusal> {
    if RestOperation::ManageGroupPushRule.allows(group.standing()) { Ok(()) } else { Err(RestRefusal::NothingFound) }
}
