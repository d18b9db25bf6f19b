//! Whoever reports git operations: gitlab-shell, or Workhorse for git over HTTP (shell.md 1.4).

use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::{ExposeSecret, SecretString};

use super::TokenVerifier;
use super::shell::ShellAuth;
use crate::clock::Clock;
use crate::http::error::ApiError;

/// The name that Workhorse signs with.
pub const ISSUER: &str = "gitlab-workhorse";
/// The header that carries the token, bare.
pub const TOKEN_HEADER: &str = "gitlab-workhorse-api-request";
/// Workhorse's version, which shows that the request came through it.
const VERSION_HEADER: &str = "gitlab-workhorse";

/// Shows that gitlab-shell or Workhorse called.
#[derive(Debug, Clone, Copy)]
pub struct GitAuditCaller(());

impl<S: Sync> FromRequestParts<S> for GitAuditCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or(ApiError::Forbidden(""))
    }
}

/// The bytes that Workhorse's tokens are signed with: 32 of them, in base64 in the file.
///
/// # Errors
/// Where the secret is anything else.
pub fn key(secret: &SecretString) -> anyhow::Result<Vec<u8>> {
    let key = BASE64_STANDARD
        .decode(secret.expose_secret())
        .context("the secret of Workhorse must be 32 bytes in base64, as `openssl rand -base64 32` prints them")?;
    ensure!(
        key.len() == 32,
        "the secret of Workhorse has {} bytes and needs 32, as `openssl rand -base64 32` prints them",
        key.len()
    );
    Ok(key)
}

/// What the layer checks against.
#[derive(Clone)]
pub struct GitAuditAuth {
    shell: ShellAuth,
    workhorse: Option<Arc<TokenVerifier>>,
}

impl GitAuditAuth {
    /// gitlab-shell's tokens, and Workhorse's where its secret is one. The shared secret itself is not accepted here.
    #[must_use]
    pub fn new(shell: ShellAuth, workhorse: &SecretString, clock: Clock) -> Self {
        let key = key(workhorse).inspect_err(|error| tracing::warn!(%error, "Workhorse is not let in"));
        Self { shell, workhorse: key.ok().map(|key| Arc::new(TokenVerifier::without_end(ISSUER, &key, clock))) }
    }

    fn judge(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        match self.shell.judge(headers) {
            Some(true) => return Ok(()),
            Some(false) => return Err(ApiError::Unauthorized),
            None => {}
        }
        let token = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok());
        let signed = self.workhorse.as_ref().zip(token).is_some_and(|(verifier, token)| verifier.accepts(token.trim()));
        let through_workhorse = headers.get(VERSION_HEADER).is_some_and(|version| !version.is_empty());
        match (signed, through_workhorse) {
            (true, true) => Ok(()),
            (true, false) => Err(ApiError::Forbidden("Request should be executed via GitLab Workhorse")),
            (false, _) => Err(ApiError::Forbidden("")),
        }
    }
}

/// The layer: leaves a [`GitAuditCaller`] on the request, or refuses it.
///
/// # Errors
/// 401 for gitlab-shell, 403 for everybody else.
pub async fn require(State(auth): State<GitAuditAuth>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    auth.judge(request.headers())?;
    request.extensions_mut().insert(GitAuditCaller(()));
    Ok(next.run(request).await)
}
