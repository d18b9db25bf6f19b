//! `/projects/:id/deploy_keys`: the deploy keys that a project uses.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa::ToSchema;

use super::shape::{self, DeployKeyParameters, DeployKeyShape};
use crate::domain::ids::{KeyId, ProjectId};
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::use_deploy_key::{self, DeployKeyChange};
use crate::store::deploy_keys;
use crate::store::protections::RowRange;

/// 404 of a key that is none, or none that the caller may enable.
const NO_KEY: RestRefusal = RestRefusal::NotFound("Deploy Key");

/// What is changed about a deploy key.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct DeployKeyChanges {
    title: Option<String>,
    can_push: Option<bool>,
}

/// The project's deploy keys.
#[utoipa::path(
    get,
    path = "/projects/{id}/deploy_keys",
    params(("id" = String, Path, description = "The project: its id or its full path"), PageQuery),
    responses((status = 200, body = Vec<DeployKeyShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    let ((), page) = params.read_list(|_| ())?;
    let range = RowRange { limit: page.limit(), offset: page.offset() };
    let (rows, more) = page.cut(deploy_keys::list_of_project(state.db.pool(), project.id, None, range).await?);
    let total = deploy_keys::count_of_project(state.db.pool(), project.id).await?;
    let shapes: Vec<DeployKeyShape> = rows.into_iter().map(DeployKeyShape::of_project).collect();
    Ok(page.answer(&shapes, more, total))
}

/// A deploy key of the project.
#[utoipa::path(
    get,
    path = "/projects/{id}/deploy_keys/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The key")
    ),
    responses((status = 200, body = DeployKeyShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    name: RowName,
) -> Result<Json<DeployKeyShape>, RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    shape_of(&state, project.id, key_id(&name).ok_or(RestRefusal::NoSuchRow)?).await.map(Json)
}

/// Lets the project use a key, which is made where it is not there.
#[utoipa::path(
    post,
    path = "/projects/{id}/deploy_keys",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(
        content = DeployKeyParameters,
        example = json!({ "title": "builder", "key": "ssh-ed25519 AAAA…", "can_push": true })
    ),
    responses((status = 201, body = DeployKeyShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<DeployKeyShape>), RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    caller.no_bot()?;
    let new = params.read(shape::declare)?;
    let change = state.change_in_project(&caller, &project);
    let added = use_deploy_key::add(&change, project.id, &new, caller.is_admin()).await;
    let id = added.map_err(|error| shape::refusal(error, true))?;
    Ok((StatusCode::CREATED, Json(shape_of(&state, project.id, id).await?)))
}

/// Changes a key's title, and whether it may push to the project.
#[utoipa::path(
    put,
    path = "/projects/{id}/deploy_keys/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The key")
    ),
    request_body(content = DeployKeyChanges, example = json!({ "title": "builder", "can_push": true })),
    responses((status = 200, body = DeployKeyShape))
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
    params: RestParams,
) -> Result<Json<DeployKeyShape>, RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    let key = key_id(&name).ok_or(RestRefusal::NoSuchRow)?;
    let stated = params.read(|reader| {
        reader.at_least_one(&["title", "can_push"]);
        DeployKeyChange { title: reader.optional("title").value(), can_push: reader.optional("can_push").value() }
    })?;
    let change = state.change_in_project(&caller, &project);
    let altered = use_deploy_key::alter(&change, project.id, key, &stated, caller.is_admin()).await;
    if !altered.map_err(|error| shape::refusal(error, true))? {
        return Err(RestRefusal::NoSuchRow);
    }
    shape_of(&state, project.id, key).await.map(Json)
}

/// Lets the project use a key that is there, to fetch alone.
#[utoipa::path(
    post,
    path = "/projects/{id}/deploy_keys/{key}/enable",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The key")
    ),
    responses((status = 201, body = DeployKeyShape))
)]
pub async fn enable(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
) -> Result<(StatusCode, Json<DeployKeyShape>), RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    let key = key_id(&name).ok_or(NO_KEY)?;
    let change = state.change_in_project(&caller, &project);
    if !use_deploy_key::enable(&change, project.id, key, caller.is_admin()).await? {
        return Err(NO_KEY);
    }
    Ok((StatusCode::CREATED, Json(shape_of(&state, project.id, key).await?)))
}

/// Takes a key from the project. A key without a project goes, unless any project may enable it.
#[utoipa::path(
    delete,
    path = "/projects/{id}/deploy_keys/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = i64, Path, description = "The key"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "The project does not use it any more"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    name: RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    project.require(RestOperation::ManageDeployKeys)?;
    let key = key_id(&name).ok_or(NO_KEY)?;
    let one = RowRange { limit: 1, offset: 0 };
    let row = deploy_keys::list_of_project(state.db.pool(), project.id, Some(key), one).await?.pop();
    unmodified.check(row.and_then(|row| row.updated_at))?;
    let change = state.change_in_project(&caller, &project);
    if use_deploy_key::remove(&change, project.id, key).await? { Ok(StatusCode::NO_CONTENT) } else { Err(NO_KEY) }
}

fn key_id(name: &RowName) -> Option<KeyId> {
    name.id().map(KeyId)
}

async fn shape_of(state: &RestState, project: ProjectId, key: KeyId) -> Result<DeployKeyShape, RestRefusal> {
    let one = RowRange { limit: 1, offset: 0 };
    let row = deploy_keys::list_of_project(state.db.pool(), project, Some(key), one).await?.pop();
    row.map(DeployKeyShape::of_project).ok_or(RestRefusal::NoSuchRow)
}
