//! Who may call: one file per credential. Each leaves proof on the request that only it can make.

pub mod admin;
pub mod agent;
pub mod customers_dot;
pub mod error_tracking;
pub mod git_audit;
pub mod git_basic;
pub mod kas;
pub mod lfs_token;
pub mod personal_access_token;
pub mod provisioning;
pub mod rest;
pub mod scim;
pub mod shell;
pub mod workhorse;

use axum::extract::Request;
use bytes::Bytes;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::body::BegunBody;
use super::error::ApiError;
use super::extract::{BodyEncoding, merged};
use crate::clock::Clock;

/// Seconds by which the clocks of caller and server may differ.
const LEEWAY: i64 = 60;

/// The claims that are judged; the issuer is the library's to judge, and what else is there is passed over.
#[derive(Debug, Deserialize)]
struct TokenTimes {
    exp: Option<i64>,
    nbf: Option<i64>,
    iat: Option<i64>,
}

impl TokenTimes {
    /// Whether the token has begun and not ended, give or take the leeway.
    fn include(&self, now: i64) -> bool {
        let begun = |at: Option<i64>| at.is_none_or(|at| at <= now.saturating_add(LEEWAY));
        self.exp.is_none_or(|exp| exp > now.saturating_sub(LEEWAY)) && begun(self.nbf) && begun(self.iat)
    }
}

/// The claims that clients sign.
#[derive(Debug, Serialize)]
struct CallerClaims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    exp: i64,
    iat: i64,
}

/// Verifies the tokens of one caller: HS256 with a shared secret, and the caller's name as issuer.
#[derive(Clone)]
pub struct TokenVerifier {
    key: DecodingKey,
    validation: Validation,
    /// Whether tokens are made once and used for ever.
    lasting: bool,
    clock: Clock,
}

impl TokenVerifier {
    /// A verifier of what `issuer` signs with `key`.
    #[must_use]
    pub fn new(issuer: &str, key: &[u8], clock: Clock) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        // Times are judged below, by a clock that tests can hold, and to the second that the contract says.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { key: DecodingKey::from_secret(key), validation, lasting: false, clock }
    }

    /// A verifier of what `issuer` signs with `key` for as long as the key is good: its tokens state no end, and when
    /// they were made is not looked at (shell.md 1.4).
    #[must_use]
    pub fn without_end(issuer: &str, key: &[u8], clock: Clock) -> Self {
        let mut verifier = Self::new(issuer, key, clock);
        verifier.validation.set_required_spec_claims(&["iss"]);
        verifier.lasting = true;
        verifier
    }

    /// Whether the token is the caller's, and of now (shell.md 1.2).
    #[must_use]
    pub fn accepts(&self, token: &str) -> bool {
        let Ok(token) = jsonwebtoken::decode::<TokenTimes>(token, &self.key, &self.validation) else { return false };
        let times = if self.lasting { TokenTimes { iat: None, ..token.claims } } else { token.claims };
        times.include(self.clock.now().timestamp())
    }

    /// All that a token says which is the caller's.
    #[must_use]
    pub fn claims(&self, token: &str) -> Option<Value> {
        if !self.accepts(token) {
            return None;
        }
        jsonwebtoken::decode::<Value>(token, &self.key, &self.validation).ok().map(|token| token.claims)
    }
}

/// A token such as `issuer` signs, for `audience` where it names one: good for 60 seconds, as gitlab-shell's own are.
///
/// # Panics
/// Never: HS256 signs with a key of any length.
#[must_use]
pub fn mint(issuer: &str, audience: Option<&str>, key: &[u8], clock: &Clock) -> SecretString {
    let now = clock.now().timestamp();
    let claims = CallerClaims { iss: issuer, aud: audience, exp: now + 60, iat: now };
    let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(key));
    token.expect("HS256 signs with a key of any length").into()
}

/// The request, and the parameters that are read of a stranger's: some credentials are among them. A body that cannot
/// be read, or is longer than strangers' are, has none; what is wrong with it is said to callers who are known.
async fn with_parameters(request: Request) -> Result<(Request, Map<String, Value>), ApiError> {
    let (parts, body) = request.into_parts();
    let body = BegunBody::read(body).await?;
    let query = parts.uri.query().unwrap_or_default();
    let bytes = body.whole().unwrap_or_default();
    let form = match BodyEncoding::of(&parts.headers) {
        // curl calls JSON a form where it is not told better.
        Ok(BodyEncoding::UrlEncoded) if bytes.starts_with(b"{") => BodyEncoding::Json,
        Ok(form) => form,
        Err(_) => BodyEncoding::UrlEncoded,
    };
    let without_body = |_| merged(query, &form, &Bytes::new());
    let parameters = merged(query, &form, &bytes).or_else(without_body).unwrap_or_default();
    Ok((Request::from_parts(parts, body.again()), parameters))
}

/// The bytes that gitlab-shell's tokens are signed with.
#[must_use]
pub fn shell_key(secret: &SecretString) -> &[u8] {
    secret.expose_secret().as_bytes()
}
