//! `/projects/:id/protected_tags`: which tags of a project not everybody may create.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::levels::{self, AccessLevelShape, AllowedParameters};
use crate::domain::ids::ProjectId;
use crate::domain::protected_ref::RefRight;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::ServiceError;
use crate::services::protect_ref;
use crate::store::protections::{self, RowRange, TagProtectionRow};

/// A protected tag, or a pattern of several.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProtectedTagShape {
    /// The name, or a pattern.
    name: String,
    create_access_levels: Vec<AccessLevelShape>,
}

/// What is said of a new protected tag.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProtectedTagParameters {
    /// The name, or a pattern.
    name: String,
    /// 0 nobody, 30 developers, 40 maintainers, 60 administrators.
    create_access_level: Option<i32>,
    allowed_to_create: Option<Vec<AllowedParameters>>,
}

/// The project's protected tags.
#[utoipa::path(
    get,
    path = "/projects/{id}/protected_tags",
    params(("id" = String, Path, description = "The project: its id or its full path"), PageQuery),
    responses((status = 200, body = Vec<ProtectedTagShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    let ((), page) = params.read_list(|_| ())?;
    let range = RowRange { limit: page.limit(), offset: page.offset() };
    let (rows, more) = page.cut(protections::list_tags(state.db.pool(), project.id, range).await?);
    let total = protections::count_tags(state.db.pool(), project.id).await?;
    Ok(page.answer(&shapes(&state, rows).await?, more, total))
}

/// The project's rule about tags of that name.
#[utoipa::path(
    get,
    path = "/projects/{id}/protected_tags/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = String, Path, description = "The name of the tag, or the pattern as it is")
    ),
    responses((status = 200, body = ProtectedTagShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    RowName(name): RowName,
) -> Result<Json<ProtectedTagShape>, RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    shape_of(&state, project.id, &name).await.map(Json)
}

/// Protects tags of the project.
///
/// # Errors
/// 422 where there is a rule of that name, or it names somebody who has no access.
#[utoipa::path(
    post,
    path = "/projects/{id}/protected_tags",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = ProtectedTagParameters, example = json!({ "name": "v*", "create_access_level": 30 })),
    responses(
        (status = 201, body = ProtectedTagShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "There is one, or it names somebody without access")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<ProtectedTagShape>), RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    let (name, levels) = params.read(|reader| {
        (
            reader.required::<String>("name").value().unwrap_or_default(),
            levels::declare_new(reader, &[RefRight::Create]),
        )
    })?;
    let change = state.change_in_project(&caller, &project);
    protect_ref::protect_tag(&change, project.id, &name, &levels).await.map_err(|error| match error {
        ServiceError::Refused(refusal) => {
            levels::refusal(refusal, || levels::sentences(&["Name has already been taken".to_owned()]))
        }
        ServiceError::Store(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(shape_of(&state, project.id, &name).await?)))
}

/// Lifts the protection.
#[utoipa::path(
    delete,
    path = "/projects/{id}/protected_tags/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = String, Path, description = "The name of the tag, or the pattern as it is"),
        UnmodifiedSince
    ),
    responses((status = 204, description = "No longer protected"), UnmodifiedSince)
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    RowName(name): RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    let rule = protections::find_tag(state.db.pool(), project.id, &name).await?;
    unmodified.check(rule.map(|rule| rule.updated_at))?;
    let change = state.change_in_project(&caller, &project);
    if protect_ref::unprotect_tag(&change, project.id, &name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(RestRefusal::NoSuchRow)
    }
}

async fn shape_of(state: &RestState, project: ProjectId, name: &str) -> Result<ProtectedTagShape, RestRefusal> {
    let row = protections::find_tag(state.db.pool(), project, name).await?.ok_or(RestRefusal::NoSuchRow)?;
    shapes(state, vec![row]).await?.pop().ok_or(RestRefusal::NoSuchRow)
}

async fn shapes(state: &RestState, rows: Vec<TagProtectionRow>) -> Result<Vec<ProtectedTagShape>, RestRefusal> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let levels = protections::list_levels(state.db.pool(), &[], &ids).await?;
    let shape = |row: TagProtectionRow| {
        let rows = levels.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        ProtectedTagShape { name: row.name, create_access_levels: levels::shapes(rows, RefRight::Create) }
    };
    Ok(rows.into_iter().map(shape).collect())
}
