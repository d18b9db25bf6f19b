//! `GET /users/:id`: who is this? (provisioning.md 7)

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::UserId;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::provisioning::ProvisioningState;
use crate::http::provisioning::namespace::captured;
use crate::store::Db;
use crate::store::users::{self, UserRow};

/// What stands in the path for a user's id, not looked up yet.
#[derive(Debug, Clone, Copy)]
pub struct UserNumber(Option<UserId>);

impl UserNumber {
    /// The user of that id.
    ///
    /// # Errors
    /// 404 where there is none.
    pub async fn find(self, db: &Db) -> Result<(UserId, UserRow), ApiError> {
        let gone = || ApiError::Refused(StatusCode::NOT_FOUND, "404 User Not Found".to_owned());
        let id = self.0.ok_or_else(gone)?;
        Ok((id, users::find(db.pool(), id).await?.ok_or_else(gone)?))
    }
}

impl<S: Sync + Send> FromRequestParts<S> for UserNumber {
    type Rejection = ApiError;

    /// What is no number is nobody's.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = captured(parts, state, "user_id").await;
        Ok(Self(text.and_then(|text| text.parse().ok()).map(UserId)))
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownUserResponse {
    id: i64,
    username: String,
    name: String,
    web_url: String,
}

/// The user.
///
/// # Errors
/// 404 where there is none.
#[utoipa::path(
    get,
    path = "/users/{user_id}",
    params(("user_id" = String, Path, description = "The user's id")),
    responses((status = 200, body = KnownUserResponse))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    number: UserNumber,
) -> Result<Json<KnownUserResponse>, ApiError> {
    let (id, user) = number.find(&state.db).await?;
    let web_url = format!("{}/{}", state.url, user.username);
    Ok(Json(KnownUserResponse { id: id.0, username: user.username, name: user.name, web_url }))
}
