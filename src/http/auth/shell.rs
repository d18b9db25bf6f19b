//! gitlab-shell and Gitaly: a token signed with the shared secret, or, where the setting allows it, the secret itself.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::Engine;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{TokenVerifier, shell_key, with_parameters};
use crate::clock::Clock;
use crate::http::error::ApiError;

/// The header that carries the token, bare.
pub const TOKEN_HEADER: &str = "gitlab-shell-api-request";
/// The header that carried the secret, in base64, before GitLab 16.
const SECRET_HEADER: &str = "gitlab-shared-secret";
/// The name that gitlab-shell and Gitaly sign with.
pub const ISSUER: &str = "gitlab-shell";

/// Shows that the request was signed by gitlab-shell or Gitaly.
#[derive(Debug, Clone, Copy)]
pub struct ShellCaller(());

impl<S: Sync> FromRequestParts<S> for ShellCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or(ApiError::Unauthorized)
    }
}

/// What the layer checks against.
#[derive(Clone)]
pub struct ShellAuth {
    verifier: Arc<TokenVerifier>,
    secret: SecretString,
    /// Whether the older authentication is on.
    legacy: bool,
}

impl ShellAuth {
    /// Tokens signed with `secret` alone.
    #[must_use]
    pub fn new(secret: &SecretString, clock: Clock) -> Self {
        let verifier = Arc::new(TokenVerifier::new(ISSUER, shell_key(secret), clock));
        Self { verifier, secret: secret.clone(), legacy: false }
    }

    /// The secret itself too (shell.md 1.3). A body that is longer than strangers' are is not searched for it.
    #[must_use]
    pub fn or_the_secret_itself(self) -> Self {
        Self { legacy: true, ..self }
    }

    /// Whether the request's token is good; none where it carries no token.
    #[must_use]
    pub fn judge(&self, headers: &HeaderMap) -> Option<bool> {
        let token = headers.get(TOKEN_HEADER)?;
        Some(token.to_str().is_ok_and(|token| self.verifier.accepts(token.trim())))
    }

    /// The request, where gitlab-shell or Gitaly signed it.
    ///
    /// # Errors
    /// 401, the same for every way in which the credential can be wrong.
    pub async fn admit(&self, request: Request) -> Result<Request, ApiError> {
        match (self.judge(request.headers()), self.legacy) {
            (Some(true), _) => Ok(request),
            (None, true) => self.admit_secret(request).await,
            (Some(false), _) | (None, false) => Err(ApiError::Unauthorized),
        }
    }

    async fn admit_secret(&self, request: Request) -> Result<Request, ApiError> {
        let (request, parameters) = with_parameters(request).await?;
        let candidate = match parameters.get("secret_token") {
            Some(value) => value.as_str().unwrap_or_default().as_bytes().to_vec(),
            None => secret_in_header(request.headers()).ok_or(ApiError::Unauthorized)?,
        };
        let same: bool = without_newline(&candidate).ct_eq(self.secret.expose_secret().as_bytes()).into();
        if same { Ok(request) } else { Err(ApiError::Unauthorized) }
    }
}

/// The layer: leaves a [`ShellCaller`] on the request, or refuses it.
///
/// # Errors
/// 401, the same for every way in which the credential can be wrong.
pub async fn require(State(auth): State<ShellAuth>, request: Request, next: Next) -> Result<Response, ApiError> {
    let mut request = auth.admit(request).await?;
    request.extensions_mut().insert(ShellCaller(()));
    Ok(next.run(request).await)
}

fn secret_in_header(headers: &HeaderMap) -> Option<Vec<u8>> {
    lenient_base64(headers.get(SECRET_HEADER)?.as_bytes())
}

/// Base64 as Ruby reads it: what is not of the alphabet is passed over, and padding may be missing.
#[must_use]
pub fn lenient_base64(text: &[u8]) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut letters: Vec<u8> = text.iter().take_while(|byte| **byte != b'=').copied().filter(letter).collect();
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    LENIENT.decode(letters).ok()
}

fn without_newline(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r\n").or_else(|| text.strip_suffix(b"\n")).or_else(|| text.strip_suffix(b"\r")).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn the_token_of_the_contract_is_accepted_and_made() {
        let clock = Clock::held_at(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJnaXRsYWItc2hlbGwiLCJleHAiOjE3MDAwMDAwNjAsImlhdCI6MTcwMDAwMDAwMH0.2eT9dsR92KCPoezwBfmDQ__e2-figL7GNx5Cbe1wsOM";
        assert!(TokenVerifier::new(ISSUER, b"0123456789abcdef", clock.clone()).accepts(token));
        let minted = super::super::mint(ISSUER, None, b"0123456789abcdef", &clock);
        assert!(TokenVerifier::new(ISSUER, b"0123456789abcdef", clock.clone()).accepts(minted.expose_secret()));
        assert!(!TokenVerifier::new(ISSUER, b"0123456789abcdeg", clock).accepts(token));
    }

    #[test]
    fn base64_is_read_as_ruby_reads_it() {
        assert_eq!(lenient_base64(b"Y2xl\nYW4=").unwrap(), b"clean");
        assert_eq!(lenient_base64(b"Y2xlYW4").unwrap(), b"clean");
        assert_eq!(lenient_base64(b"Y2xl YW4=garbage").unwrap(), b"clean");
        assert_eq!(lenient_base64(b"Y2xlY").unwrap(), b"cle");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(text in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            proptest::prop_assert!(lenient_base64(&text).is_some());
            let clock = Clock::system();
            let verifier = TokenVerifier::new(ISSUER, b"secret", clock);
            proptest::prop_assert!(!verifier.accepts(&String::from_utf8_lossy(&text)));
        }
    }
}
