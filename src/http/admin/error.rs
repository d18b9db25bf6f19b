//! The failures of the Admin area, as pages in words.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::assets;
use crate::http::body::UnreadBody;
use crate::http::error::{self, ApiError};
use crate::services::ServiceError;
use crate::store;

/// A failure, as a person is told.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody is signed in: the page that signs in is next, and after it the one that was asked for. A part of a page
    /// cannot be answered by another page, so its browser is told to load that one.
    #[error("nobody is signed in")]
    SignedOut {
        /// Where to go afterwards.
        to: Option<String>,
        /// Whether a script asks for a part of a page.
        in_place: bool,
    },
    /// There is no such thing.
    #[error("There is no such {0}. It may have been removed, or its name may be written differently.")]
    NoSuch(&'static str),
    /// The session may look alone.
    #[error("This session may look, and change nothing. Sign in with a token of the scope api to act.")]
    MayNotAct,
    /// A page of another site sent a form.
    #[error("This form came from another site, and nothing was done.")]
    Foreign,
    /// A form lacks its session's token.
    #[error("This form is not of your session, and nothing was done. Go back, load the page again, and repeat it.")]
    NotOurForm,
    /// The rules stand against it, in words.
    #[error("{0}")]
    Refused(String),
    /// Too many attempts to sign in.
    #[error("Too many attempts to sign in have failed. Wait a minute, and try again.")]
    TooManyAttempts,
    /// A failure that other areas have too.
    #[error("{0}")]
    Api(#[from] ApiError),
}

impl From<store::Error> for AdminError {
    fn from(error: store::Error) -> Self {
        Self::Api(error.into())
    }
}

impl From<UnreadBody> for AdminError {
    fn from(unread: UnreadBody) -> Self {
        Self::Api(unread.into())
    }
}

impl<R: Into<AdminError>> From<ServiceError<R>> for AdminError {
    fn from(error: ServiceError<R>) -> Self {
        match error {
            ServiceError::Refused(refusal) => refusal.into(),
            ServiceError::Store(error) => error.into(),
        }
    }
}

impl AdminError {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut { .. } => StatusCode::SEE_OTHER,
            Self::NoSuch(_) => StatusCode::NOT_FOUND,
            Self::MayNotAct | Self::Foreign | Self::NotOurForm => StatusCode::FORBIDDEN,
            Self::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Self::Api(error) => error.status(),
        }
    }
}

#[derive(Template)]
#[template(path = "admin/error.html")]
struct ErrorTemplate<'a> {
    css: &'a str,
    title: &'a str,
    message: &'a str,
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        match &self {
            Self::SignedOut { to, in_place } => {
                let next = to.as_deref().filter(|to| to.starts_with("/admin") && *to != "/admin");
                let query =
                    next.map(|next| form_urlencoded::Serializer::new(String::new()).append_pair("to", next).finish());
                let place =
                    query.map_or_else(|| "/admin/sign_in".to_owned(), |query| format!("/admin/sign_in?{query}"));
                if *in_place {
                    let place = HeaderValue::from_str("/admin/sign_in").expect("it is ASCII");
                    return (StatusCode::UNAUTHORIZED, [("hx-redirect", place)]).into_response();
                }
                return (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response();
            }
            Self::Api(failure) => error::report(failure),
            _ => {}
        }
        page(self.status(), &words(self.status(), &self.to_string()))
    }
}

/// What a person is told of a failure: what the area says itself, or for others' failures what their status means.
fn words(status: StatusCode, said: &str) -> String {
    let said = match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            "The database does not answer now, or takes no writes. Try again in a moment; nothing was changed by this."
        }
        StatusCode::INTERNAL_SERVER_ERROR => "Something failed here. The server's log says what.",
        StatusCode::METHOD_NOT_ALLOWED => "This address takes no such request.",
        StatusCode::PAYLOAD_TOO_LARGE => "This form is larger than any of ours.",
        _ => said,
    };
    said.to_owned()
}

/// A page that says what went wrong.
#[must_use]
pub fn page(status: StatusCode, message: &str) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => "Not done",
        StatusCode::TOO_MANY_REQUESTS => "Too many attempts",
        StatusCode::SERVICE_UNAVAILABLE => "Not available",
        _ => "An error",
    };
    let html = ErrorTemplate { css: &assets::CSS.url, title, message }.render();
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, html.unwrap_or_default()).into_response()
}

/// An answer of the layers around the area, which speak to programs, as a page: its status and its headers stay.
#[must_use]
pub fn in_words(response: Response) -> Response {
    let status = response.status();
    let html = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if html || !(status.is_client_error() || status.is_server_error()) || status == StatusCode::UNAUTHORIZED {
        return response;
    }
    let said = match status {
        StatusCode::NOT_FOUND => "There is no such page.",
        _ => status.canonical_reason().unwrap_or("An error"),
    };
    let mut told = page(status, &words(status, said));
    for (name, value) in response.headers() {
        if name.as_str() == "x-request-id" || name.as_str() == "retry-after" || name.as_str() == "connection" {
            told.headers_mut().insert(name, value.clone());
        }
    }
    told
}
