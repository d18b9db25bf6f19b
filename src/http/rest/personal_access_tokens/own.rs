//! `GET` and `DELETE /personal_access_tokens/self`: what is this token, and away with it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::SecondsFormat;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::services::audit_log;
use crate::services::revoke_token;

/// The token, as GitLab's API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenResponse {
    id: i64,
    name: String,
    revoked: bool,
    created_at: String,
    description: Option<String>,
    scopes: Vec<String>,
    user_id: i64,
    last_used_at: Option<String>,
    active: bool,
    expires_at: Option<String>,
}

/// The token that the request came with.
#[utoipa::path(
    get,
    path = "/personal_access_tokens/self",
    responses((
        status = 200,
        body = TokenResponse,
        example = json!({
            "id": 5, "name": "ci", "revoked": false, "created_at": "2026-01-02T03:04:05.000Z", "description": null,
            "scopes": ["api"], "user_id": 7, "last_used_at": null, "active": true, "expires_at": "2027-01-01"
        })
    ))
)]
pub async fn show(caller: RestCaller) -> Json<TokenResponse> {
    let token = caller.token().clone();
    let presented = token.presented;
    Json(TokenResponse {
        id: token.id,
        name: token.name,
        revoked: presented.revoked,
        created_at: token.created_at.and_utc().to_rfc3339_opts(SecondsFormat::Millis, true),
        description: token.description,
        scopes: presented.scopes,
        user_id: presented.owner.id.0,
        last_used_at: token.last_used_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)),
        // A token that is not gets no further than the door.
        active: true,
        expires_at: presented.expires_at.map(|day| day.to_string()),
    })
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
