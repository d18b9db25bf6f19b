//! `GET /discover`: who owns this key?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ShellState;
use super::actor::ActorRequest;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::store::actors;

/// The user (shell.md 2.4).
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoverResponse {
    id: i64,
    name: String,
    username: String,
}

/// The user, or `null` where nobody is meant: gitlab-shell then greets "Anonymous", and a 404 would make it fail.
#[utoipa::path(
    get,
    path = "/discover",
    params(ActorRequest),
    responses((
        status = 200,
        body = Option<DiscoverResponse>,
        example = json!({ "id": 7, "name": "Dede Eichmann", "username": "rubi" })
    ))
)]
pub async fn discover(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<ActorRequest>,
) -> Result<Json<Option<DiscoverResponse>>, ApiError> {
    let user = actors::find_acting_user(shell.db.pool(), &request.into()).await?;
    Ok(Json(user.map(|user| DiscoverResponse { id: user.id.0, name: user.name, username: user.username })))
}
