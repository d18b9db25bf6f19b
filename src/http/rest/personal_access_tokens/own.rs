//! `GET` and `DELETE /personal_access_tokens/self`: what is this token, and away with it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::token::TokenShape;
use crate::http::rest::fault::RestRefusal;
use crate::services::audit_log;
use crate::services::revoke_token;

/// The token that the request came with.
#[utoipa::path(
    get,
    path = "/personal_access_tokens/self",
    responses((
        status = 200,
        body = TokenShape,
        example = json!({
            "id": 5, "name": "ci", "revoked": false, "created_at": "2026-01-02T03:04:05.000Z", "description": null,
            "scopes": ["api"], "user_id": 7, "last_used_at": null, "active": true, "expires_at": "2027-01-01"
        })
    ))
)]
pub async fn show(State(state): State<RestState>, caller: RestCaller) -> Result<Json<TokenShape>, RestRefusal> {
    state.token_shape(caller.token().id).await.map(Json)
}

/// Ends the token that the request came with, at once.
#[utoipa::path(
    delete,
    path = "/personal_access_tokens/self",
    responses((status = 204, description = "The token is revoked"))
)]
pub async fn revoke(State(state): State<RestState>, caller: RestCaller) -> Result<StatusCode, RestRefusal> {
    if let Some(event) = revoke_token::revoke(&state.db, caller.token(), state.clock.now()).await? {
        audit_log::log(&event);
    }
    Ok(StatusCode::NO_CONTENT)
}
