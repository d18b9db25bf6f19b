//! `POST /personal_access_token`: a token for the user behind a key.

use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::ShellState;
use super::actor::ActorRequest;
use super::replay::{CallTurn, RepeatableRequest, ShellAnswer};
use crate::background::last_used::LastUse;
use crate::crypto::secrets::token_salt;
use crate::domain::audit::{Event, EventName};
use crate::domain::personal_access_token::{self, WantedToken};
use crate::domain::token;
use crate::http::auth::shell::ShellCaller;
use crate::http::error::ApiError;
use crate::http::wire::{Text, Texts};
use crate::store::requesters;
use crate::store::tokens::{self, TokenRow};

/// What `ssh git@host personal_access_token NAME SCOPES DAYS` sends.
#[derive(Debug, Deserialize)]
pub struct PersonalAccessTokenRequest {
    #[serde(flatten)]
    actor: ActorRequest,
    name: Option<Text>,
    #[serde(default)]
    scopes: Texts,
    expires_at: Option<Text>,
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
pub async fn create(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RepeatableRequest { request, key }: RepeatableRequest<PersonalAccessTokenRequest>,
) -> Result<ShellAnswer, ApiError> {
    let now = shell.clock.now();
    let requester = requesters::find(shell.db.pool(), request.actor.requester()).await?;
    shell.last_used.note(LastUse::requester(&requester, now));
    let policy = tokens::find_policy(shell.db.pool(), requester.account.as_ref().map(|account| account.id)).await?;
    let wish = WantedToken {
        name: request.name.as_ref().map_or("", |name| &name.0),
        scopes: &request.scopes.0,
        expires_at: request.expires_at.as_ref().map_or("", |date| &date.0),
    };
    let decision = personal_access_token::decide(&requester, wish, &policy, now.date_naive());

    let mut once = match shell.replays.begin(key, now).await? {
        CallTurn::First(once) => once,
        CallTurn::Again(answer) => return Ok(answer),
    };
    let grant = match decision {
        Ok(grant) => grant,
        Err(refusal) => {
            let event = Event::of(&requester, EventName::TokenRefused, refusal.to_string());
            return once.settle(ShellAnswer::refusal(refusal), &event).await;
        }
    };
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = TokenRow {
        id: 0,
        name: grant.name,
        token_digest: token::digest(text.expose_secret(), token_salt(&shell.settings.db_key_base)),
        scopes: token::scopes_to_yaml(&grant.scopes),
        expires_at: grant.expires_at,
        revoked: false,
    };
    let id = tokens::insert(once.connection(), grant.user, &row).await?;
    let answer = ShellAnswer::of(&PersonalAccessTokenResponse {
        success: true,
        token: text.expose_secret(),
        scopes: &grant.scopes,
        expires_at: grant.expires_at.map(|day| day.to_string()),
    })?;
    let event = Event::of(&requester, EventName::TokenIssued, format!("Scopes: {}", grant.scopes.join(", ")));
    once.settle(answer, &event.with_target("PersonalAccessToken", id, row.name)).await
}
