//! `/groups/{id}`: one group is shown, changed and deleted.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::fields::{self, GroupParameters};
use crate::domain::level::AccessLevel;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupDetailShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundGroup;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::delete_group_or_project::{self, DeletedBy, DeletionWish};
use crate::services::write_group;

/// A group, with its projects unless the request does without.
#[utoipa::path(
    get,
    path = "/groups/{id}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("with_projects" = Option<bool>, Query, description = "Whether its projects are shown; so where it is not said")
    ),
    responses((status = 200, body = GroupDetailShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Json<GroupDetailShape>, RestRefusal> {
    let with_projects = params.read(|reader| reader.optional::<bool>("with_projects").value())?;
    let level = group.standing().level;
    state.group_detail(&caller, group.id.0, level, with_projects.unwrap_or(true)).await.map(Json)
}

/// Changes a group: what is said of it, and no more.
#[utoipa::path(
    put,
    path = "/groups/{id}",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = GroupParameters, example = json!({ "description": "All of Acme" })),
    responses((status = 200, body = GroupDetailShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Json<GroupDetailShape>, RestRefusal> {
    group.require(RestOperation::ChangeGroup)?;
    let stated = params.read(|reader| {
        let mut stated = fields::read(reader, caller.is_admin());
        stated.name = reader.optional::<String>("name").value();
        stated.path = reader.optional::<String>("path").value();
        stated
    })?;
    write_group::update(&state.db, group.id, &stated, &caller.acting(), state.clock.now()).await?;
    state.group_detail(&caller, group.id.0, AccessLevel::OWNER, true).await.map(Json)
}

/// Deletes a group with all that is in it, or marks it where the instance waits.
#[utoipa::path(
    delete,
    path = "/groups/{id}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("permanently_remove" = Option<bool>, Query, description = "Whether what is marked goes now"),
        ("full_path" = Option<String>, Query, description = "The full path, to be named with `permanently_remove`"),
        UnmodifiedSince
    ),
    responses((status = 202), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
    unmodified: UnmodifiedSince,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ChangeGroup)?;
    let (permanently, full_path) = params.read(|reader| {
        let permanently = reader.optional::<bool>("permanently_remove").value() == Some(true);
        (permanently, reader.optional::<String>("full_path").value())
    })?;
    unmodified.check(group.updated_at)?;
    let wish = wish(permanently, full_path.as_deref(), &group.full_path)?;
    let by = caller.acting();
    delete_group_or_project::delete_group(&state.db, group.id, wish, &DeletedBy::User(&by), state.clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "message": "202 Accepted" }))).into_response())
}

/// How something is to be deleted: before its time by those who name its path.
///
/// # Errors
/// 400 where the path is another one.
pub fn wish(permanently: bool, named: Option<&str>, full_path: &str) -> Result<DeletionWish, RestRefusal> {
    if !permanently {
        return Ok(DeletionWish::Usual);
    }
    if named.is_some_and(|named| named == full_path) {
        return Ok(DeletionWish::Permanently);
    }
    let sentence = "`full_path` is incorrect. You must enter the complete path.";
    Err(RestRefusal::Message(StatusCode::BAD_REQUEST, sentence.into()))
}
