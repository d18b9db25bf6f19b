//! `GET` and `DELETE /personal_access_tokens/self`: what is this token, and away with it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::SecondsFormat;
use serde::Serialize;

use super::TokensState;
use crate::domain::audit::{Author, Entity, Event, EventName, Target};
use crate::http::audit;
use crate::http::auth::admin::TokenCaller;
use crate::http::error::ApiError;
use crate::store::{audit_events, tokens};

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
    let token = caller.token();
    let owner = &token.presented.owner;
    let event = Event {
        name: EventName::TokenRevoked,
        author: Author::User(owner.id, owner.username.clone()),
        entity: Entity::User(owner.id, owner.username.clone()),
        target: Some(Target { kind: "PersonalAccessToken", id: token.id, details: token.name.clone() }),
        message: "Revoked by itself".to_owned(),
        ip_address: None,
    };
    let mut transaction = state.db.begin().await?;
    if tokens::revoke(&mut *transaction, token.id).await? {
        audit_events::insert(&mut *transaction, &event, state.clock.now()).await?;
        transaction.commit().await?;
        audit::log(&event);
    }
    Ok(StatusCode::NO_CONTENT)
}
