//! The failures of the plain JSON areas, in GitLab's words, and the one place that logs a failure.

use std::error::Error as StdError;

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::body::UnreadBody;
use crate::store;

/// When a client may ask again that was told 503, in seconds.
pub const SOON: HeaderValue = HeaderValue::from_static("1");

/// What is said to who would write where the database is declared to take no writes.
pub const READ_ONLY: &str = "You cannot perform write operations on a read-only instance";

/// A failure, as a client is told. Clients show `message` alone, so every body has one.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 400, with the reason.
    #[error("400 Bad request - {0}")]
    BadRequest(String),
    /// 400: a parameter that must be there. GitLab's own validation says it under `error`.
    #[error("400 Bad request - {0} is missing")]
    Missing(&'static str),
    /// 400: parameters of the wrong shape, in the words of GitLab's API framework, which says it under `error` alone.
    #[error("{0}")]
    Invalid(String),
    /// 400: values that a record cannot have, by their names.
    #[error("{}", record(.0))]
    InvalidRecord(Vec<(&'static str, String)>),
    /// 400: what is wrong with some of a list, as a text of its own.
    #[error("{0}")]
    InvalidInPart(String),
    /// 400: a `gl_repository` of no form that GitLab has.
    #[error("Invalid GL Repository \"{0}\"")]
    InvalidGlRepository(String),
    /// 401: the same for every way in which a credential can be wrong.
    #[error("401 Unauthorized")]
    Unauthorized,
    /// 404, said by the endpoint.
    #[error("404 Not Found")]
    NotFound,
    /// 404: no such route.
    #[error("404 Not Found")]
    NoSuchRoute,
    /// 404 where the lookup of a record failed: the lower-case f is GitLab's.
    #[error("404 Not found")]
    NoSuchRecord,
    /// 404 of `/authorized_keys`, the normal case there.
    #[error("404 Key Not Found")]
    NoSuchKey,
    /// 403, and the reason where the endpoint gives one.
    #[error("403 Forbidden{}{}", if .0.is_empty() { "" } else { " - " }, .0)]
    Forbidden(&'static str),
    /// 422
    #[error("422 Unprocessable Entity")]
    Unprocessable,
    /// A refusal in the endpoint's own words.
    #[error("{1}")]
    Refused(StatusCode, String),
    /// 405
    #[error("405 Not Allowed")]
    MethodNotAllowed,
    /// 408
    #[error("408 Request Timeout")]
    TooSlow,
    /// 413
    #[error("413 Request Entity Too Large")]
    TooLarge,
    /// 415
    #[error("415 Unsupported Media Type")]
    UnsupportedMediaType,
    /// 415, of the areas that read parameters as GitLab's API framework does.
    #[error("The provided content-type '{0}' is not supported.")]
    UnsupportedContentType(String),
    /// 503: the server has more to do than it can hold, for a moment.
    #[error("503 Service Unavailable")]
    Busy(#[source] Box<dyn StdError + Send + Sync>),
    /// 503
    #[error("503 Service Unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// 500: the source goes to the log, never to the client.
    #[error("500 Internal Server Error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) | store::Error::Busy(_) | store::Error::Unknown(_) => {
                Self::Unavailable(error.into())
            }
            store::Error::ReadOnly => Self::Refused(StatusCode::FORBIDDEN, READ_ONLY.to_owned()),
            store::Error::Duplicate(_) | store::Error::Query(_) => Self::Internal(error.into()),
        }
    }
}

impl From<UnreadBody> for ApiError {
    fn from(unread: UnreadBody) -> Self {
        match unread {
            UnreadBody::TooLarge => Self::TooLarge,
            UnreadBody::TooSlow => Self::TooSlow,
            UnreadBody::NoRoom => Self::Busy(unread.into()),
            UnreadBody::Broken => Self::BadRequest(unread.to_string()),
        }
    }
}

impl ApiError {
    /// Of an error that the client is to meet by asking again, whatever it is, unless the database takes no writes at all.
    #[must_use]
    pub fn asked_again(error: store::Error) -> Self {
        match error {
            store::Error::ReadOnly => error.into(),
            error => Self::Unavailable(error.into()),
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_)
            | Self::Missing(_)
            | Self::Invalid(_)
            | Self::InvalidRecord(_)
            | Self::InvalidInPart(_)
            | Self::InvalidGlRepository(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound | Self::NoSuchRoute | Self::NoSuchRecord | Self::NoSuchKey => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused(status, _) => *status,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType | Self::UnsupportedContentType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy(_) | Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What GitLab says under `error` beside the message, or in its place.
    fn body(&self) -> Value {
        let said = self.to_string();
        match self {
            Self::Missing(name) => json!({ "message": said, "error": format!("{name} is missing") }),
            Self::NoSuchRoute | Self::MethodNotAllowed => json!({ "message": said, "error": said }),
            Self::Invalid(_) | Self::UnsupportedContentType(_) => json!({ "error": said }),
            Self::InvalidInPart(_) => json!({ "message": { "error": said } }),
            _ => json!({ "message": said }),
        }
    }
}

fn record(complaints: &[(&'static str, String)]) -> String {
    let complaints: Vec<String> = complaints.iter().map(|(name, complaint)| format!("{name} {complaint}")).collect();
    complaints.join(", ")
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        report(&self);
        let mut response = match &self {
            Self::InvalidRecord(complaints) => {
                (self.status(), Json(MessageBody { message: RecordComplaints(complaints) })).into_response()
            }
            _ => (self.status(), Json(self.body())).into_response(),
        };
        if let Self::Busy(_) | Self::Unavailable(_) = self {
            response.headers_mut().insert(RETRY_AFTER, SOON);
        }
        response
    }
}

#[derive(serde::Serialize)]
struct MessageBody<T> {
    message: T,
}

/// What is wrong with a record, by the names of its values, in the order in which it was found.
struct RecordComplaints<'a>(&'a [(&'static str, String)]);

impl Serialize for RecordComplaints<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_map(None)?;
        // All that is wrong with one value stands together.
        for complaints in self.0.chunk_by(|(one, _), (next, _)| one == next) {
            let said: Vec<&str> = complaints.iter().map(|(_, said)| said.as_str()).collect();
            record.serialize_entry(complaints[0].0, &said)?;
        }
        record.end()
    }
}

/// Logs what the operator must know of a failure, once, inside the request's span. What clients do wrong is in the
/// request's own line already.
pub fn report(error: &ApiError) {
    match error {
        ApiError::Busy(source) | ApiError::Unavailable(source) => {
            tracing::warn!(error = %chain(&**source), "answered 503");
        }
        ApiError::Internal(source) => tracing::error!(error = %chain(&**source), "answered 500"),
        _ => {}
    }
}

fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        // Many errors repeat their cause in their own text.
        let text = error.to_string();
        if !texts.iter().any(|said| said.ends_with(&text)) {
            texts.push(text);
        }
        cause = error.source();
    }
    texts.join(": ")
}
