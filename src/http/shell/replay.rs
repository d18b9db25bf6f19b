//! Requests that must not take effect twice. gitlab-shell sends a POST again when the answer got lost; the second one gets
//! the answer of the first (shell.md 1.5).
//!
//! The answer is kept by the transaction that has the effect, under a key that is unique. So there is no moment at which
//! the one is there without the other; of two requests at once one waits at the key until the other has ended; and a
//! server that dies takes the key with it. The answer is sealed, for it may be a credential.

use std::fmt::Display;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use crate::crypto::seal::{Seal, Sealed};
use crate::domain::audit::Event;
use crate::http::auth::shell::TOKEN_HEADER;
use crate::http::error::ApiError;
use crate::http::extract::{Params, unread};
use crate::services::audit_log;
use crate::store::{Db, Transaction, audit_events, idempotent_responses};

/// How long an answer is kept.
const WINDOW: TimeDelta = TimeDelta::minutes(2);

/// What makes two requests the same: the token, the id, the path and the body. None where the client names its request
/// by no id or has no token, for then a retry cannot be told from another request.
#[derive(Debug, Clone, Copy)]
pub struct RequestKey(Option<[u8; 32]>);

/// A request that may be one that was answered already.
#[derive(Debug)]
pub struct Replayable<T> {
    /// Its parameters.
    pub request: T,
    /// What it is recognized by.
    pub key: RequestKey,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Replayable<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let again = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(again, state).await.map_err(|rejection| unread(&rejection))?;
        let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let key = RequestKey::of(&parts.headers, &path, &body);
        let Params(request) = Params::from_request(Request::from_parts(parts, Body::from(body)), state).await?;
        Ok(Self { request, key })
    }
}

impl RequestKey {
    fn of(headers: &HeaderMap, path: &str, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).map(HeaderValue::as_bytes).filter(|value| !value.is_empty());
        let named = header(TOKEN_HEADER).zip(header("x-request-id"));
        Self(named.map(|(token, id)| {
            let mut hash = Sha256::new();
            for part in [token, id, path.as_bytes(), body] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            hash.finalize().into()
        }))
    }

    /// The place that a kept answer is sealed for.
    fn place(key: &[u8; 32]) -> String {
        format!("idempotent_responses/{key:x?}")
    }
}

/// The body of a 200: JSON, also of what was refused, as gitlab-shell expects it.
#[derive(Debug, Clone)]
pub struct Answer(SecretString);

impl Answer {
    /// What was asked for, with `success` in it.
    pub fn of(value: &impl Serialize) -> Result<Self, ApiError> {
        let text = serde_json::to_string(value).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(Self(text.into()))
    }

    /// A refusal, with its sentence for the user.
    #[must_use]
    pub fn refusal(reason: impl Display) -> Self {
        Self(json!({ "success": false, "message": reason.to_string() }).to_string().into())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0.expose_secret().to_owned()).into_response()
    }
}

/// Where answers are kept.
#[derive(Debug, Clone)]
pub struct Replays {
    db: Db,
    seal: Seal,
}

/// Whose turn it is.
pub enum Turn {
    /// This request's: nobody has answered it.
    First(Once),
    /// Nobody's: this was answered.
    Again(Answer),
}

/// A request that takes effect now: a transaction, and the key under which it keeps its answer.
pub struct Once {
    transaction: Transaction,
    key: Option<[u8; 32]>,
    seal: Seal,
    now: DateTime<Utc>,
}

impl Replays {
    /// Answers kept in a database, sealed.
    #[must_use]
    pub fn new(db: Db, seal: Seal) -> Self {
        Self { db, seal }
    }

    /// The answer that was given to this request, for handlers that would otherwise work hard before [`Self::begin`].
    pub async fn find(&self, key: RequestKey, now: DateTime<Utc>) -> Result<Option<Answer>, ApiError> {
        let RequestKey(Some(key)) = key else { return Ok(None) };
        let kept = idempotent_responses::find(self.db.pool(), &key, now).await?;
        kept.map(|kept| open(&self.seal, &kept, &key)).transpose()
    }

    /// A transaction in which the request takes effect, or the answer that it got. Waits for a request that is the same
    /// and under way.
    pub async fn begin(&self, key: RequestKey, now: DateTime<Utc>) -> Result<Turn, ApiError> {
        let mut transaction = self.db.begin().await?;
        if let RequestKey(Some(key)) = key
            && !idempotent_responses::claim(&mut transaction, &key, now + WINDOW, now).await?
        {
            let kept = idempotent_responses::find(&mut *transaction, &key, now).await?;
            let kept = kept.ok_or_else(|| ApiError::Internal("an answer is gone before its time".into()))?;
            return open(&self.seal, &kept, &key).map(Turn::Again);
        }
        Ok(Turn::First(Once { transaction, key: key.0, seal: self.seal.clone(), now }))
    }
}

impl Once {
    /// The transaction.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// Keeps the answer, writes down what happened, and makes both true.
    ///
    /// # Errors
    /// Where the database does not answer; then nothing has happened.
    pub async fn settle(mut self, answer: Answer, event: &Event) -> Result<Answer, ApiError> {
        audit_events::insert(&mut *self.transaction, event, self.now).await?;
        if let Some(key) = &self.key {
            let sealed = self.seal.close(answer.0.expose_secret(), &RequestKey::place(key));
            idempotent_responses::update(&mut self.transaction, key, &sealed, self.now).await?;
        }
        self.transaction.commit().await?;
        audit_log::log(event);
        Ok(answer)
    }
}

fn open(seal: &Seal, kept: &Sealed, key: &[u8; 32]) -> Result<Answer, ApiError> {
    seal.open(kept, &RequestKey::place(key)).map(Answer).map_err(|closed| ApiError::Internal(closed.into()))
}
