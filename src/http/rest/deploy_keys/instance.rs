//! `/deploy_keys`: the deploy keys of all projects, and those that any project may enable.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::shape::{self, DeployKeyParameters, DeployKeyShape};
use crate::http::auth::rest::RestAdmin;
use crate::http::pages::MOST_COUNTED;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::services::use_deploy_key;
use crate::store::deploy_keys;
use crate::store::protections::RowRange;

/// The deploy keys of the installation, with the projects that use them.
#[utoipa::path(
    get,
    path = "/deploy_keys",
    params(
        ("public" = Option<bool>, Query, description = "Those alone that any project may enable"),
        PageQuery
    ),
    responses((status = 200, body = Vec<DeployKeyShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _admin: RestAdmin,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (public, page) = params.read_list(|reader| reader.optional::<bool>("public").value().unwrap_or(false))?;
    let range = RowRange { limit: page.limit(), offset: page.offset() };
    let (rows, more) = page.cut(deploy_keys::list_all(state.db.pool(), public, range).await?);
    let total = deploy_keys::count_all(state.db.pool(), public, MOST_COUNTED + 1).await?;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let uses = deploy_keys::list_using_projects(state.db.pool(), &ids).await?;
    let shapes: Vec<DeployKeyShape> = rows.into_iter().map(|row| DeployKeyShape::of_instance(row, &uses)).collect();
    Ok(page.answer(&shapes, more, total))
}

/// Makes a deploy key that any project may enable.
#[utoipa::path(
    post,
    path = "/deploy_keys",
    request_body(content = DeployKeyParameters, example = json!({ "title": "builder", "key": "ssh-ed25519 AAAA…" })),
    responses((status = 201, body = DeployKeyShape))
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    params: RestParams,
) -> Result<(StatusCode, Json<DeployKeyShape>), RestRefusal> {
    let new = params.read(shape::declare)?;
    let change = state.change_in_instance(admin.caller());
    let id = use_deploy_key::create_public(&change, &new).await.map_err(|error| shape::refusal(error, false))?;
    let row = deploy_keys::find(state.db.pool(), id).await?.ok_or(RestRefusal::NoSuchRow)?;
    Ok((StatusCode::CREATED, Json(DeployKeyShape::of_instance(row, &[]))))
}
