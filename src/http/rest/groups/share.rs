//! `/groups/{id}/share`: a group is shared with another one, or is not any more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use utoipa::ToSchema;

use crate::domain::ids::NamespaceId;
use crate::domain::level::AccessLevel;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::grape::ParameterReader;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupDetailShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::{FoundGroup, RowName};
use crate::http::rest::params::RestParams;
use crate::services::share_with_group::{self, group_place};
use crate::store::members::MemberGrant;

/// Whom something is shared with.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ShareParameters {
    /// The other group.
    group_id: i64,
    /// The most that its members get: 5, 10, 15, 20, 30, 40 or 50.
    group_access: i32,
    /// The day from which on it is over.
    #[schema(format = Date)]
    expires_at: Option<String>,
}

/// The other group and what it gets.
pub fn read(reader: &mut ParameterReader<'_>) -> (i64, MemberGrant) {
    let group: i64 = reader.required("group_id").value().unwrap_or_default();
    if !reader.names("group_access") {
        reader.refuse("group_access", "is missing");
    }
    let level = reader.access_level("group_access", &[5, 10, 15, 20, 30, 40, 50]).value().unwrap_or(AccessLevel::GUEST);
    let expires_at = reader.optional::<NaiveDate>("expires_at").value();
    (group, MemberGrant { level: level.0, expires_at })
}

/// Shares a group: direct members of the other one get in.
#[utoipa::path(
    post,
    path = "/groups/{id}/share",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = ShareParameters, example = json!({ "group_id": 12, "group_access": 30 })),
    responses(
        (status = 201, body = GroupDetailShape),
        (status = 409, body = crate::http::openapi::FailureResponse, description = "It is shared with it already")
    )
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require_or_hide(RestOperation::ChangeGroup)?;
    let (with, grant) = params.read(read)?;
    let with = state.find_group(&caller, &with.to_string()).await?;
    let place = group_place(group.id, &group.full_path);
    share_with_group::share(&state.db, &place, with.id, grant, &caller.acting(), state.clock.now()).await?;
    let detail = state.group_detail(&caller, group.id.0, group.standing().level, true).await?;
    Ok((StatusCode::CREATED, Json(detail)).into_response())
}

/// Ends a share.
#[utoipa::path(
    delete,
    path = "/groups/{id}/share/{key}",
    params(
        ("id" = String, Path, description = "The group: its id or its full path"),
        ("key" = i64, Path, description = "The id of the other group")
    ),
    responses((status = 204))
)]
pub async fn delete(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    with: RowName,
) -> Result<StatusCode, RestRefusal> {
    group.require(RestOperation::ChangeGroup)?;
    let with = with.id().ok_or_else(|| RestRefusal::Parameters("group_id is invalid".to_owned()))?;
    let (place, by) = (group_place(group.id, &group.full_path), caller.acting());
    share_with_group::unshare(&state.db, &place, NamespaceId(with), &by, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
