//! Agents: a token of their own, which kas hands on beside its own (kas.md 1.3).

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::SecretString;

use crate::clock::Clock;
use crate::crypto::secrets;
use crate::domain::agent::{ClusterAgent, needs_note};
use crate::http::error::ApiError;
use crate::services;
use crate::store::{Db, agent_tokens};

/// Bytes of a token, which GitLab makes of 58.
const LONGEST_TOKEN: usize = 1024;

/// Shows that the request came with a good token of an agent.
#[derive(Debug, Clone)]
pub struct AgentCaller(ClusterAgent);

impl AgentCaller {
    /// Whose token it is.
    #[must_use]
    pub fn agent(&self) -> &ClusterAgent {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for AgentCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or(ApiError::Unauthorized)
    }
}

/// What the layer checks against.
#[derive(Clone)]
pub struct AgentAuth {
    /// Where tokens are known.
    pub db: Db,
    /// What their digests are salted with.
    pub db_key_base: SecretString,
    /// The clock.
    pub clock: Clock,
}

/// The layer: leaves an [`AgentCaller`] on the request and notes that the token was used, or refuses it. The note comes
/// before the parameters are looked at, so that an agent with a bad request still counts as connected (kas.md 2.13).
///
/// # Errors
/// 401, the same for every way in which the token can be wrong.
pub async fn require(State(auth): State<AgentAuth>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    let token = presented(request.headers()).filter(|token| token.len() <= LONGEST_TOKEN);
    let token = token.ok_or(ApiError::Unauthorized)?;
    let forms = secrets::agent_token_forms(&token, &auth.db_key_base);
    let known = agent_tokens::find_active(auth.db.pool(), &forms).await?.ok_or(ApiError::Unauthorized)?;
    let now = auth.clock.now();
    if needs_note(known.last_used_at, now)
        && let Err(error) = services::agent_tokens::note_use(&auth.db, &known, now).await
    {
        tracing::warn!(%error, agent.id = known.agent.id.0, "could not note that an agent's token was used");
    }
    request.extensions_mut().insert(AgentCaller(known.agent));
    Ok(next.run(request).await)
}

/// The first token that the request carries, good or not, in the order of the contract.
fn presented(headers: &HeaderMap) -> Option<String> {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_owned());
    let authorization = || {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.trim().split_once(' ')?;
        let known = ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
        known.then(|| token.trim().to_owned())
    };
    header("gitlab-agentk-api-request").or_else(|| header("gitlab-agent-api-request")).or_else(authorization)
}
