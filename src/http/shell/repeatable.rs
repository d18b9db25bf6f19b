//! Requests that gitlab-shell sends again when the answer got lost: what they are known by, and how they are answered
//! (shell.md 1.5).

use std::fmt::Display;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::http::auth::shell::TOKEN_HEADER;
use crate::http::error::ApiError;
use crate::http::extract::{RequestParams, unread};
use crate::services::audit_log;
use crate::services::guard_call::{CallKey, GuardError, GuardedAnswer};

/// A request that may be one that was answered already.
#[derive(Debug)]
pub struct RepeatableRequest<T> {
    /// Its parameters.
    pub request: T,
    /// What a repetition of it is known by.
    pub key: CallKey,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for RepeatableRequest<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let again = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(again, state).await.map_err(|rejection| unread(&rejection))?;
        let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let key = key_of(&parts.headers, &path, &body);
        let RequestParams(request) =
            RequestParams::from_request(Request::from_parts(parts, Body::from(body)), state).await?;
        Ok(Self { request, key })
    }
}

/// The token, the id, the path and the body. None where the client names its request by no id or has no token.
fn key_of(headers: &HeaderMap, path: &str, body: &[u8]) -> CallKey {
    let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes).filter(|value| !value.is_empty());
    let named = header(TOKEN_HEADER).zip(header("x-request-id"));
    CallKey(named.map(|(token, id)| {
        let mut hash = Sha256::new();
        for part in [token, id, path.as_bytes(), body] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }))
}

/// The body of a 200: JSON, also of what was refused, as gitlab-shell expects it.
#[derive(Debug, Clone)]
pub struct ShellAnswer(SecretString);

impl ShellAnswer {
    /// What was asked for, with `success` in it.
    ///
    /// # Panics
    /// Where the value is none that JSON can hold, as a map without texts for its keys.
    #[must_use]
    pub fn of(value: &impl Serialize) -> Self {
        Self(serde_json::to_string(value).expect("the endpoints' own structs are JSON").into())
    }

    /// A refusal, with its sentence for the user.
    #[must_use]
    pub fn refusal(reason: impl Display) -> Self {
        Self(json!({ "success": false, "message": reason.to_string() }).to_string().into())
    }

    /// The text, as it is kept.
    #[must_use]
    pub fn into_text(self) -> SecretString {
        self.0
    }
}

impl From<GuardedAnswer> for ShellAnswer {
    /// Logs what happened, where it happened just now.
    fn from(answer: GuardedAnswer) -> Self {
        match answer {
            GuardedAnswer::New(text, event) => {
                audit_log::log(&event);
                Self(text)
            }
            GuardedAnswer::Kept(text) => Self(text),
        }
    }
}

impl From<GuardError> for ApiError {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::Store(error) => error.into(),
            GuardError::Sealed(_) | GuardError::Gone => Self::Internal(error.into()),
        }
    }
}

impl IntoResponse for ShellAnswer {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0.expose_secret().to_owned()).into_response()
    }
}
