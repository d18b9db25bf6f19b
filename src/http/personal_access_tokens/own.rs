//! `GET` and `DELETE /personal_access_tokens/self`: what is this token, and away with it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::SecondsFormat;
use serde::Serialize;

use super::TokensState;
use crate::http::audit;
use crate::http::auth::personal_access_token::TokenCaller;
use crate::http::error::ApiError;
use crate::services::revoke_token;

/// The token, as GitLab's API shows it.
#[derive(Debug, Serialize)]
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
pub async fn show(caller: TokenCaller) -> Json<TokenResponse> {
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
pub async fn revoke(State(state): State<TokensState>, caller: TokenCaller) -> Result<StatusCode, ApiError> {
    if let Some(event) = revoke_token::revoke(&state.db, caller.token(), state.clock.now()).await? {
        audit::log(&event);
    }
    Ok(StatusCode::NO_CONTENT)
}
