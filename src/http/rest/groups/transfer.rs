//! `POST /groups/{id}/transfer`: a group moves into another one, or to the root.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;

use crate::domain::level::AccessLevel;
use crate::domain::rest_policy::RestOperation;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::GroupDetailShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundGroup;
use crate::http::rest::params::RestParams;
use crate::services::move_group;

/// Where a group is to go.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct GroupTransferParameters {
    /// The group that it goes into; none makes it a root group.
    group_id: Option<i64>,
}

/// Moves a group with all that is in it.
#[utoipa::path(
    post,
    path = "/groups/{id}/transfer",
    params(("id" = String, Path, description = "The group: its id or its full path")),
    request_body(content = GroupTransferParameters, example = json!({ "group_id": 12 })),
    responses((status = 201, body = GroupDetailShape))
)]
pub async fn create(
    State(state): State<RestState>,
    caller: RestCaller,
    group: FoundGroup,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    group.require(RestOperation::ChangeGroup)?;
    let to = params.read(|reader| reader.optional::<i64>("group_id").value())?;
    let to = if let Some(id) = to {
        Some(state.parent_for_groups(&caller, id).await?)
    } else {
        state.may_make_root_groups(&caller).await?;
        None
    };
    move_group::transfer(&state.db, group.id, to, &caller.acting(), state.clock.now()).await?;
    let detail = state.group_detail(&caller, group.id.0, AccessLevel::OWNER, true).await?;
    Ok((StatusCode::CREATED, Json(detail)).into_response())
}
