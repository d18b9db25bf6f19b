//! Workhorse, which asks about git over HTTP before it moves a byte: a token that states its issuer alone.

use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::SecretString;
use serde_json::Value;

use super::TokenVerifier;
use super::git_audit::{ISSUER, TOKEN_HEADER, key};
use crate::clock::Clock;
use crate::http::git_http::error::PlainRefusal;

/// Shows that Workhorse signed the request.
#[derive(Debug, Clone, Copy)]
pub struct WorkhorseCaller(());

impl<S: Sync> FromRequestParts<S> for WorkhorseCaller {
    type Rejection = PlainRefusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, PlainRefusal> {
        parts.extensions.get().copied().ok_or_else(PlainRefusal::unsigned)
    }
}

/// What the layer checks against.
#[derive(Clone)]
pub struct WorkhorseAuth {
    verifier: Option<Arc<TokenVerifier>>,
}

impl fmt::Debug for WorkhorseAuth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("WorkhorseAuth")
    }
}

impl WorkhorseAuth {
    /// Tokens signed with `secret`, where that is one of Workhorse's.
    #[must_use]
    pub fn new(secret: &SecretString, clock: Clock) -> Self {
        let key = key(secret).ok();
        Self { verifier: key.map(|key| Arc::new(TokenVerifier::without_end(ISSUER, &key, clock))) }
    }

    /// Whether Workhorse signed it.
    #[must_use]
    pub fn accepts(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        self.verifier.as_ref().zip(token).is_some_and(|(verifier, token)| verifier.accepts(token.trim()))
    }

    /// What a token says that Workhorse signed.
    #[must_use]
    pub fn claims(&self, token: &str) -> Option<Value> {
        self.verifier.as_ref()?.claims(token)
    }
}

/// The layer: leaves a [`WorkhorseCaller`] on the request, or refuses it. It comes before all credentials: who is not
/// Workhorse tries no passwords here.
///
/// # Errors
/// 403, the same for every way in which the token can be wrong.
pub async fn require(
    State(auth): State<WorkhorseAuth>,
    mut request: Request,
    next: Next,
) -> Result<Response, PlainRefusal> {
    if !auth.accepts(request.headers()) {
        return Err(PlainRefusal::unsigned());
    }
    request.extensions_mut().insert(WorkhorseCaller(()));
    Ok(next.run(request).await)
}
