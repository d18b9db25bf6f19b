//! How git over HTTP is refused: a sentence and nothing around it, which git prints line by line after `remote:`.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::access::{Denial, DenialAnswer};
use crate::http::auth::git_basic::CredentialRefusal;
use crate::http::error::{ApiError, SOON, report};
use crate::services::check_access::{AccessCheckError, NO_GITALY};
use crate::store;

/// Keeps Workhorse from putting a page of its own in the place of an error's text.
pub static CUSTOM_ERROR: HeaderName = HeaderName::from_static("x-gitlab-custom-error");

/// What is said while the database does not answer.
const NO_STORAGE: &str = "The storage of LFS objects is not available at this time. Please try again.";
const NO_DATABASE: &str = "The database is not available at this time. Please try again.";

/// A sentence for whoever runs git.
#[derive(Debug)]
pub struct PlainRefusal {
    status: StatusCode,
    text: String,
    /// Whether git is told to ask for a credential.
    challenge: bool,
}

impl PlainRefusal {
    /// These words under this status.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), challenge: false }
    }

    /// 403 to who is not Workhorse.
    #[must_use]
    pub fn unsigned() -> Self {
        Self::new(StatusCode::FORBIDDEN, "The request is not signed by GitLab Workhorse")
    }

    /// 404 of what is no URL of a repository.
    #[must_use]
    pub fn no_such_url() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found")
    }

    /// For a credential that is missing or not good, at the installation with this URL.
    #[must_use]
    pub fn of_credential(refusal: CredentialRefusal, url: &str) -> Self {
        let unauthorized = |challenge| Self {
            status: StatusCode::UNAUTHORIZED,
            text: format!(
                "HTTP Basic: Access denied. If a password was provided for Git authentication, the password was \
                 incorrect or you're required to use a token instead of a password. If a token was provided, it was \
                 either incorrect, expired, or improperly scoped. See \
                 {url}/help/topics/git/troubleshooting_git.md#error-on-git-fetch-http-basic-access-denied"
            ),
            challenge,
        };
        match refusal {
            CredentialRefusal::Unauthorized => unauthorized(true),
            CredentialRefusal::PasswordsClosed => unauthorized(false),
            CredentialRefusal::Banned => {
                Self::new(StatusCode::FORBIDDEN, "Too many failed authentication attempts from this IP")
            }
            CredentialRefusal::Store(error) => error.into(),
            CredentialRefusal::NoSuchDeployKey => Self::no_such_url(),
            CredentialRefusal::Busy(error) => Self::unavailable(&ApiError::Busy(error.into())),
        }
    }

    /// For an attempt that the rules refuse, at the installation with this URL.
    #[must_use]
    pub fn of_denial(denial: &Denial, url: &str) -> Self {
        let status = match denial.answer() {
            DenialAnswer::Forbidden => StatusCode::FORBIDDEN,
            DenialAnswer::NotFound => StatusCode::NOT_FOUND,
        };
        Self::new(status, denial.sentence(url))
    }

    /// For what a push would need and cannot be made.
    #[must_use]
    pub fn impossible(reason: String) -> Self {
        let status =
            if reason == NO_GITALY { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
        Self::new(status, reason)
    }

    /// 503, and 500 for what is our own fault; the reason goes to the log.
    #[must_use]
    pub fn unavailable(error: &ApiError) -> Self {
        report(error);
        match error {
            ApiError::Internal(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, NO_DATABASE),
        }
    }

    /// For a directory or a bucket of LFS objects that fails; why is logged.
    #[must_use]
    pub fn no_storage(error: std::io::Error) -> Self {
        report(&ApiError::Internal(error.into()));
        Self::new(StatusCode::SERVICE_UNAVAILABLE, NO_STORAGE)
    }
}

impl ToSchema for PlainRefusal {}

impl PartialSchema for PlainRefusal {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).description(Some("A sentence for whoever runs git")).into()
    }
}

impl From<store::Error> for PlainRefusal {
    fn from(error: store::Error) -> Self {
        Self::unavailable(&match error {
            store::Error::ReadOnly => ApiError::Unavailable("the database takes no writes".into()),
            error => error.into(),
        })
    }
}

impl From<ApiError> for PlainRefusal {
    fn from(error: ApiError) -> Self {
        Self::unavailable(&error)
    }
}

impl From<AccessCheckError> for PlainRefusal {
    fn from(error: AccessCheckError) -> Self {
        Self::unavailable(&match error {
            AccessCheckError::Store(error) => return error.into(),
            AccessCheckError::TooManyCreations => ApiError::Unavailable(error.into()),
            AccessCheckError::Gone => return Self::no_such_url(),
            AccessCheckError::BadLine(_) => ApiError::Internal(error.into()),
        })
    }
}

impl IntoResponse for PlainRefusal {
    fn into_response(self) -> Response {
        let content = [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
        let mut response = (self.status, content, self.text).into_response();
        let headers = response.headers_mut();
        headers.insert(CUSTOM_ERROR.clone(), HeaderValue::from_static("1"));
        if self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"GitLab\""));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, SOON);
        }
        response
    }
}
