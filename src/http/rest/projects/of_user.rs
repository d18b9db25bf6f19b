//! `GET /users/{id}/projects`: which projects has a user? `POST /projects/user/{key}`: make one for a user.

use axum::extract::{Extension, State};
use axum::response::Response;

use super::list::{ProjectListQuery, make, maker_of, page};
use crate::domain::ids::UserId;
use crate::http::auth::rest::{RestAdmin, RestCaller};
use crate::http::layers::CorrelationId;
use crate::http::rest::RestState;
use crate::http::rest::entities::project::{ListedProject, ProjectShape};
use crate::http::rest::entities::settings::ProjectParameters;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{NamedUser, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::projects::ProjectScope;
use crate::store::rest::users;

/// The projects in a user's personal namespace that the caller sees.
#[utoipa::path(
    get,
    path = "/users/{id}/projects",
    params(("id" = String, Path, description = "The user: an id or a name"), ProjectListQuery, PageQuery),
    responses((status = 200, body = [ListedProject]))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    user: NamedUser,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    page(&state, &caller, &params, ProjectScope::Personal(UserId(user.id))).await
}

/// A new project of another user's, made as they would make it.
#[utoipa::path(
    post,
    path = "/projects/user/{key}",
    params(("key" = i64, Path, description = "The user's id")),
    request_body(content = ProjectParameters, example = json!({ "name": "App", "path": "app", "namespace_id": 10 })),
    responses(
        (status = 201, body = ProjectShape),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "Its repository is somebody else's")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    admin: RestAdmin,
    Extension(CorrelationId(request)): Extension<CorrelationId>,
    user: RowName,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let gone = || RestRefusal::NotFound("User");
    let id = user.id().ok_or_else(gone)?;
    let profile = users::list_profiles(state.db.pool(), &[id]).await?.pop().ok_or_else(gone)?;
    let maker = maker_of(id, profile.admin, profile.external);
    make(&state, admin.caller(), &params, maker, &request).await
}
