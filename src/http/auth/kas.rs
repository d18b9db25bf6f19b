//! kas, the agent server: a token that it signs with the secret it shares with us (kas.md 1.2).

use std::sync::Arc;

use anyhow::{Context, ensure};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::personal_access_token::TokenRefusal;
use crate::clock::Clock;
use crate::http::error::ApiError;
use crate::http::grape::BodyDoorkeeper;

/// The header that carries the token, bare.
pub const TOKEN_HEADER: &str = "gitlab-kas-api-request";
/// The name that kas signs with.
pub const ISSUER: &str = "gitlab-kas";
/// The audience that kas signs for.
pub const AUDIENCE: &str = "gitlab";

/// Shows that kas signed the request.
#[derive(Debug, Clone, Copy)]
pub struct KasCaller(());

impl<S: Sync> FromRequestParts<S> for KasCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or_else(refused)
    }
}

/// What the layer checks against.
#[derive(Clone)]
pub struct KasAuth {
    key: Arc<DecodingKey>,
    validation: Validation,
    clock: Clock,
}

/// The claims that are judged here; issuer and audience are the library's to judge. Times need not be whole seconds.
#[derive(Debug, Deserialize)]
struct KasTokenTimes {
    exp: Option<f64>,
    nbf: Option<f64>,
}

impl KasAuth {
    /// Tokens signed with these bytes.
    #[must_use]
    pub fn new(key: &[u8], clock: Clock) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud"]);
        // Times are judged below, by a clock that tests can hold, and only where the token states them.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self { key: Arc::new(DecodingKey::from_secret(key)), validation, clock }
    }

    /// Whether kas signed the request, and now is the time.
    fn accepts(&self, headers: &HeaderMap) -> bool {
        let Some(token) = headers.get(TOKEN_HEADER).and_then(|token| token.to_str().ok()) else { return false };
        let Ok(token) = jsonwebtoken::decode::<KasTokenTimes>(token.trim(), &self.key, &self.validation) else {
            return false;
        };
        #[expect(clippy::cast_precision_loss, reason = "exact for all dates that a calendar has")]
        let now = self.clock.now().timestamp() as f64;
        token.claims.exp.is_none_or(|exp| exp > now) && token.claims.nbf.is_none_or(|nbf| nbf <= now)
    }
}

impl BodyDoorkeeper for KasAuth {
    async fn admit_more(&self, head: &Parts) -> Result<(), TokenRefusal> {
        if self.accepts(&head.headers) { Ok(()) } else { Err(refused().into()) }
    }
}

/// The layer: leaves a [`KasCaller`] on the request, or refuses it.
///
/// # Errors
/// 401, the same for every way in which the token can be wrong.
pub async fn require(State(auth): State<KasAuth>, mut request: Request, next: Next) -> Result<Response, ApiError> {
    if !auth.accepts(request.headers()) {
        return Err(refused());
    }
    request.extensions_mut().insert(KasCaller(()));
    Ok(next.run(request).await)
}

fn refused() -> ApiError {
    ApiError::Refused(StatusCode::UNAUTHORIZED, "KAS JWT authentication invalid".to_owned())
}

/// The bytes that kas's tokens are signed with: 32 of them, in base64 in the file.
///
/// # Errors
/// Where the secret is anything else.
pub fn key(secret: &SecretString) -> anyhow::Result<Vec<u8>> {
    let key = BASE64_STANDARD
        .decode(secret.expose_secret())
        .context("the secret of kas must be 32 bytes in base64, as `openssl rand -base64 32` prints them")?;
    ensure!(
        key.len() == 32,
        "the secret of kas has {} bytes and needs 32, as `openssl rand -base64 32` prints them",
        key.len()
    );
    Ok(key)
}
