//! What a client of the public REST API is told that does not get what it asked for (rest.md 1.7).

use axum::Json;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::domain::record_faults::RecordFaults;
use crate::http::auth::personal_access_token::TokenRefusal;
use crate::http::error::ApiError;
use crate::services::ServiceError;
use crate::store;

/// A refusal, as clients of the public REST API know it.
#[derive(Debug)]
pub enum RestRefusal {
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 403 with a reason behind `403 Forbidden - `.
    ForbiddenBecause(String),
    /// 403 with a sentence of its own.
    ForbiddenSentence(String),
    /// 404 of a noun: `404 Project Not Found`.
    NotFound(&'static str),
    /// 404 of a row below something: `404 Not found`, with GitLab's lower-case f.
    NoSuchRow,
    /// 404 of a token or a page: `404 Not Found`.
    NothingFound,
    /// 404 of what the caller may not do, without a number: `Not Found`.
    Hidden,
    /// 404 as of a path that has no route: `{"error":"404 Not Found"}`.
    NoSuchRoute,
    /// 405 of an operation that is closed here: `405 Method Not Allowed`.
    Closed,
    /// 400 with a reason behind `400 Bad request - `.
    BadRequest(String),
    /// 400: parameters of the wrong shape, under `error`.
    Parameters(String),
    /// 400: what is wrong with the values of a record, by their names.
    Record(Vec<(String, String)>),
    /// 409 with a sentence.
    Conflict(String),
    /// 412
    ChangedMeanwhile,
    /// 422, with a reason behind `422 Unprocessable Entity - ` where there is one.
    Unprocessable(Option<String>),
    /// 429, and the seconds after which to try again.
    TooOften(u32),
    /// Any status with something else under `message`.
    Message(StatusCode, Value),
    /// Any status with something else under `error`.
    Error(StatusCode, Value),
    /// 301 of a moved project.
    Moved(String),
    /// In the words of all areas: 413, 415, 5xx.
    Plain(ApiError),
    /// Of a token, as OAuth has it.
    Token(TokenRefusal),
}

impl RestRefusal {
    /// 400 with one thing that is wrong with a record.
    #[must_use]
    pub fn record(name: impl Into<String>, complaint: impl Into<String>) -> Self {
        Self::Record(vec![(name.into(), complaint.into())])
    }

    /// 400 of a setting that promises something that is not kept here (rest.md 1.11).
    #[must_use]
    pub fn not_supported(name: &str) -> Self {
        Self::BadRequest(format!("{name} is not supported"))
    }

    fn body(&self) -> (StatusCode, Value) {
        let message = |status, text: &str| (status, json!({ "message": text }));
        match self {
            Self::Unauthorized => message(StatusCode::UNAUTHORIZED, "401 Unauthorized"),
            Self::Forbidden => message(StatusCode::FORBIDDEN, "403 Forbidden"),
            Self::ForbiddenBecause(reason) => message(StatusCode::FORBIDDEN, &format!("403 Forbidden - {reason}")),
            Self::ForbiddenSentence(sentence) => message(StatusCode::FORBIDDEN, sentence),
            Self::NotFound(noun) => message(StatusCode::NOT_FOUND, &format!("404 {noun} Not Found")),
            Self::NoSuchRow => message(StatusCode::NOT_FOUND, "404 Not found"),
            Self::NothingFound => message(StatusCode::NOT_FOUND, "404 Not Found"),
            Self::Hidden => message(StatusCode::NOT_FOUND, "Not Found"),
            Self::NoSuchRoute => (StatusCode::NOT_FOUND, json!({ "error": "404 Not Found" })),
            Self::Closed => message(StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed"),
            Self::BadRequest(reason) => message(StatusCode::BAD_REQUEST, &format!("400 Bad request - {reason}")),
            Self::Parameters(text) => (StatusCode::BAD_REQUEST, json!({ "error": text })),
            Self::Record(complaints) => (StatusCode::BAD_REQUEST, json!({ "message": by_name(complaints) })),
            Self::Conflict(sentence) => message(StatusCode::CONFLICT, sentence),
            Self::ChangedMeanwhile => message(StatusCode::PRECONDITION_FAILED, "412 Precondition Failed"),
            Self::Unprocessable(None) => message(StatusCode::UNPROCESSABLE_ENTITY, "422 Unprocessable Entity"),
            Self::Unprocessable(Some(reason)) => {
                message(StatusCode::UNPROCESSABLE_ENTITY, &format!("422 Unprocessable Entity - {reason}"))
            }
            Self::TooOften(_) => {
                let said = "This endpoint has been requested too many times. Try again later.";
                (StatusCode::TOO_MANY_REQUESTS, json!({ "message": { "error": said } }))
            }
            Self::Message(status, said) => (*status, json!({ "message": said })),
            Self::Error(status, said) => (*status, json!({ "error": said })),
            Self::Moved(_) | Self::Plain(_) | Self::Token(_) => (StatusCode::INTERNAL_SERVER_ERROR, Value::Null),
        }
    }
}

/// What is wrong with each value, by its name, all of one value together.
#[must_use]
pub fn by_name(complaints: &[(String, String)]) -> Value {
    let mut record = Map::new();
    for (name, complaint) in complaints {
        let said = record.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(said) = said {
            said.push(complaint.clone().into());
        }
    }
    record.into()
}

impl IntoResponse for RestRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(error) => error.into_response(),
            Self::Token(refusal) => refusal.into_response(),
            Self::Moved(location) => moved(&location),
            Self::TooOften(seconds) => {
                let mut response = plain(&self);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            _ => plain(&self),
        }
    }
}

fn plain(refusal: &RestRefusal) -> Response {
    let (status, body) = refusal.body();
    (status, Json(body)).into_response()
}

/// Where the project is now. Its body is a text under GitLab's own type of all answers of the API.
fn moved(location: &str) -> Response {
    let body = format!("This resource has been moved permanently to {location}");
    let mut response = (StatusCode::MOVED_PERMANENTLY, body).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

impl From<ApiError> for RestRefusal {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Invalid(text) => Self::Parameters(text),
            error => Self::Plain(error),
        }
    }
}

impl From<store::Error> for RestRefusal {
    /// What somebody else removed while it was to be changed is not found.
    fn from(error: store::Error) -> Self {
        if error.is_gone() { Self::NothingFound } else { Self::Plain(error.into()) }
    }
}

impl<R: Into<RestRefusal>> From<ServiceError<R>> for RestRefusal {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl From<TokenRefusal> for RestRefusal {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Token(refusal)
    }
}

impl From<RecordFaults> for RestRefusal {
    fn from(faults: RecordFaults) -> Self {
        let said = |(field, faults): (&'static str, &[String])| {
            faults.iter().map(|fault| (field.to_owned(), fault.clone())).collect::<Vec<_>>()
        };
        Self::Record(faults.iter().flat_map(said).collect())
    }
}
