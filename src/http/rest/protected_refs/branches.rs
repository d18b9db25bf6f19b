//! `/projects/:id/protected_branches`: which branches of a project not everybody may push to.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::levels::{self, AccessLevelShape, AllowedParameters};
use crate::domain::protected_ref::RefRight;
use crate::domain::rest_policy::{RestOperation, RestStanding};
use crate::http::auth::rest::RestCaller;
use crate::http::grape::{OptionalParameter, ParameterReader};
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundProject, RowName};
use crate::http::rest::params::{PageQuery, RestParams};
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::ServiceError;
use crate::services::audited_change::AuditedChange;
use crate::services::protect_ref::{self, BranchProtectionChange, NewBranchProtection, UnprotectRefusal, Unprotector};
use crate::store::protections::{self, BranchProtectionRow, ProtectionOwner, RowRange};

/// What may be allowed of a branch.
const RIGHTS: [RefRight; 3] = [RefRight::Push, RefRight::Merge, RefRight::Unprotect];

/// A protected branch, or a pattern of several.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProtectedBranchShape {
    id: i64,
    /// The name, or a pattern.
    name: String,
    push_access_levels: Vec<AccessLevelShape>,
    merge_access_levels: Vec<AccessLevelShape>,
    unprotect_access_levels: Vec<AccessLevelShape>,
    allow_force_push: bool,
    /// Always false.
    code_owner_approval_required: bool,
    /// Of a project's: whether a group above it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    inherited: Option<bool>,
}

/// What is said of a new protected branch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProtectedBranchParameters {
    /// The name, or a pattern.
    name: String,
    /// 0 nobody, 30 developers, 40 maintainers, 60 administrators.
    push_access_level: Option<i32>,
    /// The same.
    merge_access_level: Option<i32>,
    /// The same, but for 0.
    unprotect_access_level: Option<i32>,
    allowed_to_push: Option<Vec<AllowedParameters>>,
    allowed_to_merge: Option<Vec<AllowedParameters>>,
    allowed_to_unprotect: Option<Vec<AllowedParameters>>,
    allow_force_push: Option<bool>,
}

/// What is changed about a protected branch.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ProtectedBranchChanges {
    allowed_to_push: Option<Vec<AllowedParameters>>,
    allowed_to_merge: Option<Vec<AllowedParameters>>,
    allowed_to_unprotect: Option<Vec<AllowedParameters>>,
    allow_force_push: Option<bool>,
}

/// The project's protected branches, those of the groups above it included.
#[utoipa::path(
    get,
    path = "/projects/{id}/protected_branches",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("search" = Option<String>, Query, description = "What the name has in it"),
        PageQuery
    ),
    responses((status = 200, body = Vec<ProtectedBranchShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    may_read(&project)?;
    list_of(&state, ProtectionOwner::Project(project.id), &params).await
}

/// The rule about branches of that name: the project's own, or that of a group above it.
#[utoipa::path(
    get,
    path = "/projects/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is")
    ),
    responses((status = 200, body = ProtectedBranchShape))
)]
pub async fn show(
    State(state): State<RestState>,
    _caller: RestCaller,
    project: FoundProject,
    RowName(name): RowName,
) -> Result<Json<ProtectedBranchShape>, RestRefusal> {
    may_read(&project)?;
    shape_of(&state, ProtectionOwner::Project(project.id), &name).await.map(Json)
}

/// Protects branches of the project.
///
/// # Errors
/// 409 where there is a rule of that name, 422 where it names somebody who has no access.
#[utoipa::path(
    post,
    path = "/projects/{id}/protected_branches",
    params(("id" = String, Path, description = "The project: its id or its full path")),
    request_body(content = ProtectedBranchParameters, example = json!({ "name": "release/*" })),
    responses(
        (status = 201, body = ProtectedBranchShape),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "There is a rule of that name"),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It names somebody without access")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<(StatusCode, Json<ProtectedBranchShape>), RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    let change = state.change_in_project(&caller, &project);
    create_in(&state, &change, ProtectionOwner::Project(project.id), &params).await
}

/// Changes who may push to the branches, merge into them, or lift their protection.
///
/// # Errors
/// 422 where it names somebody who has no access.
#[utoipa::path(
    patch,
    path = "/projects/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is")
    ),
    request_body(content = ProtectedBranchChanges, example = json!({ "allow_force_push": true })),
    responses(
        (status = 200, body = ProtectedBranchShape),
        (status = 422, body = crate::http::openapi::FailureResponse, description = "It names somebody without access")
    )
)]
pub async fn update(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    RowName(name): RowName,
    params: RestParams,
) -> Result<Json<ProtectedBranchShape>, RestRefusal> {
    project.require(RestOperation::ProtectRefsOfProject)?;
    let change = state.change_in_project(&caller, &project);
    let owner = ProtectionOwner::Project(project.id);
    update_in(&state, &change, owner, (&name, project.standing()), &params).await
}

/// Lifts the protection.
#[utoipa::path(
    delete,
    path = "/projects/{id}/protected_branches/{key}",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("key" = String, Path, description = "The name of the branch, or the pattern as it is"),
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
    let change = state.change_in_project(&caller, &project);
    delete_in(&change, ProtectionOwner::Project(project.id), (&name, unmodified), project.standing()).await
}

fn may_read(project: &FoundProject) -> Result<(), RestRefusal> {
    if project.may_read_code() { Ok(()) } else { Err(RestRefusal::Forbidden) }
}

/// The page of an owner's rules that is asked for.
pub(super) async fn list_of(
    state: &RestState,
    owner: ProtectionOwner,
    params: &RestParams,
) -> Result<Response, RestRefusal> {
    let (search, page) = params.read_list(|reader| reader.optional::<String>("search").value())?;
    let search = search.as_deref().filter(|text| !text.is_empty());
    let range = RowRange { limit: page.limit(), offset: page.offset() };
    let (rows, more) = page.cut(protections::list_branches(state.db.pool(), owner, search, range).await?);
    let total = protections::count_branches(state.db.pool(), owner, search).await?;
    Ok(page.answer(&shapes(state, owner, rows).await?, more, total))
}

/// The rule about branches of that name that holds for the owner.
pub(super) async fn shape_of(
    state: &RestState,
    owner: ProtectionOwner,
    name: &str,
) -> Result<ProtectedBranchShape, RestRefusal> {
    let row = protections::find_branch_in_force(state.db.pool(), owner, name).await?;
    let row = row.ok_or(RestRefusal::NoSuchRow)?;
    shapes(state, owner, vec![row]).await?.pop().ok_or(RestRefusal::NoSuchRow)
}

async fn shapes(
    state: &RestState,
    owner: ProtectionOwner,
    rows: Vec<BranchProtectionRow>,
) -> Result<Vec<ProtectedBranchShape>, RestRefusal> {
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let levels = protections::list_levels(state.db.pool(), &ids, &[]).await?;
    let of_project = matches!(owner, ProtectionOwner::Project(_));
    let shape = |row: BranchProtectionRow| {
        let rows = levels.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        ProtectedBranchShape {
            id: row.id,
            push_access_levels: levels::shapes(rows, RefRight::Push),
            merge_access_levels: levels::shapes(rows, RefRight::Merge),
            unprotect_access_levels: levels::shapes(rows, RefRight::Unprotect),
            allow_force_push: row.allow_force_push,
            code_owner_approval_required: row.code_owner_approval_required,
            inherited: of_project.then_some(row.of_group),
            name: row.name,
        }
    };
    Ok(rows.into_iter().map(shape).collect())
}

/// Makes the rule that is stated.
pub(super) async fn create_in(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    params: &RestParams,
) -> Result<(StatusCode, Json<ProtectedBranchShape>), RestRefusal> {
    let new = params.read(|reader| NewBranchProtection {
        name: reader.required("name").value().unwrap_or_default(),
        allow_force_push: reader.optional("allow_force_push").value().unwrap_or(false),
        levels: levels::declare_new(reader, &RIGHTS),
    })?;
    refuse_code_owners(params)?;
    protect_ref::protect_branch(change, owner, &new).await.map_err(|error| match error {
        ServiceError::Refused(refusal) => {
            let exists = || RestRefusal::Conflict(format!("Protected branch '{}' already exists", new.name));
            levels::refusal(refusal, exists)
        }
        ServiceError::Store(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(shape_of(state, owner, &new.name).await?)))
}

/// Changes the rule of that name as it is stated.
pub(super) async fn update_in(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    (name, standing): (&str, RestStanding),
    params: &RestParams,
) -> Result<Json<ProtectedBranchShape>, RestRefusal> {
    let stated = params.read(|reader| BranchProtectionChange {
        allow_force_push: filled_flag(reader, "allow_force_push"),
        levels: levels::declare_changes(reader, &RIGHTS),
    })?;
    refuse_code_owners(params)?;
    let done = protect_ref::alter_branch(change, owner, name, unprotector(change, standing), &stated).await;
    done.map_err(|error| unprotect_refusal(error, name))?;
    shape_of(state, owner, name).await.map(Json)
}

/// Lifts the rule of that name.
pub(super) async fn delete_in(
    change: &AuditedChange<'_>,
    owner: ProtectionOwner,
    (name, unmodified): (&str, UnmodifiedSince),
    standing: RestStanding,
) -> Result<StatusCode, RestRefusal> {
    let rule = protections::find_branch(change.db.pool(), owner, name).await?;
    unmodified.check(rule.and_then(|rule| rule.updated_at))?;
    let done = protect_ref::unprotect_branch(change, owner, name, unprotector(change, standing)).await;
    done.map_err(|error| unprotect_refusal(error, name))?;
    Ok(StatusCode::NO_CONTENT)
}

/// An administrator has every level.
fn unprotector(change: &AuditedChange<'_>, standing: RestStanding) -> Unprotector {
    let level = if standing.admin { crate::domain::level::AccessLevel::OWNER } else { standing.level };
    Unprotector { user: change.user(), level, admin: standing.admin }
}

fn unprotect_refusal(error: ServiceError<UnprotectRefusal>, name: &str) -> RestRefusal {
    match error {
        ServiceError::Refused(UnprotectRefusal::Missing) => RestRefusal::NoSuchRow,
        ServiceError::Refused(UnprotectRefusal::NotNamed) => RestRefusal::Forbidden,
        ServiceError::Refused(UnprotectRefusal::Rule(refusal)) => {
            levels::refusal(refusal, || RestRefusal::Conflict(format!("Protected branch '{name}' already exists")))
        }
        ServiceError::Store(error) => error.into(),
    }
}

/// A truth value that may be left out, but not be blank.
fn filled_flag(reader: &mut ParameterReader<'_>, name: &str) -> Option<bool> {
    match reader.optional(name) {
        OptionalParameter::Is(value) => Some(value),
        OptionalParameter::Absent => None,
        OptionalParameter::Null => {
            reader.refuse(name, "is empty");
            None
        }
    }
}

/// Nobody looks at code owners here, and the setting promises that somebody does.
fn refuse_code_owners(params: &RestParams) -> Result<(), RestRefusal> {
    const NAME: &str = "code_owner_approval_required";
    if params.read(|reader| reader.optional::<bool>(NAME))?.value() == Some(true) {
        return Err(RestRefusal::not_supported(NAME));
    }
    Ok(())
}
