//! `GET /groups/{id}/projects`: which projects are in it? `POST …/projects/{key}`: move one here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::http::auth::rest::{RestAdmin, RestCaller};
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupDetailShape;
use crate::http::rest::entities::project::ListedProject;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::projects::list::{self as project_list, ProjectListQuery};
use crate::services::update_project;
use crate::store::rest::projects::ProjectScope;

/// The projects of a group, and those that are shared with it.
#[utoipa::path(
    get,
    path = "/groups/{id}/projects",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("include_subgroups" = Option<bool>, Query, description = "Those too of the groups below"),
        ("include_ancestor_groups" = Option<bool>, Query, description = "Those too of the groups around"),
        ("with_shared" = Option<bool>, Query, description = "Those too that are shared with it; true is usual"),
        ProjectListQuery,
        PageQuery
    ),
    responses((status = 200, body = [ListedProject]))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let scope = params.read(|reader| ProjectScope::Group {
        group: group.id,
        below: reader.optional::<bool>("include_subgroups").value() == Some(true),
        around: reader.optional::<bool>("include_ancestor_groups").value() == Some(true),
        shared: reader.optional::<bool>("with_shared").value() != Some(false),
    })?;
    project_list::page(&state, &caller, &params, scope).await
}

/// Moves a project into the group.
#[utoipa::path(
    post,
    path = "/groups/{id}/projects/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = String, Path, description = "The project: its id or its full path")
    ),
    responses((status = 201, body = GroupDetailShape))
)]
pub async fn take(
    State(state): State<RestState>,
    admin: RestAdmin,
    group: FoundGroup,
    project: RowName,
) -> Result<Response, RestRefusal> {
    let caller = admin.caller();
    let project = state.find_project(caller, &project.0).await?;
    let (mover, by, now) = (state.creator(caller), caller.acting(), state.clock.now());
    update_project::transfer(&state.db, project.id, group.id, mover, &by, now).await?;
    let detail = state.group_detail(caller, group.id.0, group.standing().level, true).await?;
    Ok((StatusCode::CREATED, Json(detail)).into_response())
}
