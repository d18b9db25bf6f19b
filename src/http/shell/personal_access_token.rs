//! `POST /personal_access_token`: a token for the user behind a key.

use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShellState;
use super::actor::ActorRequest;
use super::repeatable::{RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::domain::personal_access_token::{TokenCreationRefusal, WantedToken};
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::openapi::SuccessResponse;
use crate::http::wire::{WireText, WireTexts};
use crate::services::create_personal_access_token::{self, CreatedToken};
use crate::store::requesters;

/// What `ssh git@host personal_access_token NAME SCOPES DAYS` sends.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PersonalAccessTokenRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    name: Option<WireText>,
    #[serde(default)]
    scopes: WireTexts,
    expires_at: Option<WireText>,
}

/// The token, which nobody will see again (shell.md 2.7).
#[derive(Debug, Serialize)]
struct PersonalAccessTokenResponse<'a> {
    success: bool,
    token: &'a str,
    scopes: &'a [String],
    expires_at: Option<String>,
}

/// A new token, or why there is none; 200 in both cases.
#[utoipa::path(
    post,
    path = "/personal_access_token",
    request_body(
        content = PersonalAccessTokenRequest,
        example = json!({ "key_id": "11", "name": "ci", "scopes": ["read_api"], "expires_at": "2027-01-01" })
    ),
    responses((status = 200, body = SuccessResponse))
)]
pub async fn create(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RepeatableRequest { request, key }: RepeatableRequest<PersonalAccessTokenRequest>,
) -> Result<ShellAnswer, ApiError> {
    let now = shell.clock.now();
    let requester = requesters::find(shell.db.pool(), request.actor.requester()).await?;
    shell.last_used.note(LastUse::requester(&requester, now));
    let wanted = WantedToken {
        name: request.name.as_ref().map_or("", |name| &name.0),
        scopes: &request.scopes.0,
        expires_at: request.expires_at.as_ref().map_or("", |date| &date.0),
    };
    let db_key_base = &shell.settings.db_key_base;
    let created = create_personal_access_token::create(
        &shell.db,
        &shell.guard,
        db_key_base,
        key,
        &requester,
        wanted,
        now,
        render,
    );
    Ok(shell.guard.in_time(created).await?.into())
}

fn render(outcome: Result<CreatedToken<'_>, TokenCreationRefusal>) -> SecretString {
    let answer = match outcome {
        Ok(CreatedToken { text, grant }) => ShellAnswer::of(&PersonalAccessTokenResponse {
            success: true,
            token: text.expose_secret(),
            scopes: &grant.scopes,
            expires_at: grant.expires_at.map(|day| day.to_string()),
        }),
        Err(refusal) => ShellAnswer::refusal(refusal),
    };
    answer.into_text()
}
