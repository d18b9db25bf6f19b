//! How requests of LFS are refused: as git-lfs reads it, with a message and a page.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::git_basic::CredentialRefusal;
use crate::http::body::UnreadBody;
use crate::http::error::ApiError;
use crate::http::git_http::error::{CUSTOM_ERROR, PlainRefusal};
use crate::services::store_lfs_object::LfsStoreError;
use crate::store;

/// The type of LFS's own bodies.
pub const LFS_TYPE: &str = "application/vnd.git-lfs+json";

/// A refusal.
#[derive(Debug)]
pub enum LfsRefusal {
    /// As git is refused.
    Plain(PlainRefusal),
    /// As git-lfs is.
    Json(StatusCode, LfsFailureResponse),
}

/// What is wrong, for people to read.
#[derive(Debug, Serialize, ToSchema)]
pub struct LfsFailureResponse {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    documentation_url: Option<String>,
}

impl LfsRefusal {
    /// These words under this status, at the installation with this URL.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>, url: &str) -> Self {
        Self::Json(status, LfsFailureResponse { message: message.into(), documentation_url: Some(help(url)) })
    }

    /// 404, whatever the reason.
    #[must_use]
    pub fn not_found(url: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found.", url)
    }

    /// 403 to who may download.
    #[must_use]
    pub fn forbidden(url: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Access forbidden. Check your access level.", url)
    }

    /// 501 where there is no LFS at all.
    #[must_use]
    pub fn not_offered(url: &str) -> Self {
        let message = "Git LFS is not enabled on this GitLab server, contact your admin.";
        Self::new(StatusCode::NOT_IMPLEMENTED, message, url)
    }

    /// 403 while nothing is written.
    #[must_use]
    pub fn read_only() -> Self {
        let message = "You cannot write to this read-only GitLab instance.".to_owned();
        Self::Json(StatusCode::FORBIDDEN, LfsFailureResponse { message, documentation_url: None })
    }

    /// 401 with a challenge.
    #[must_use]
    pub fn unauthorized(url: &str) -> Self {
        Self::Plain(PlainRefusal::of_credential(CredentialRefusal::Unauthorized, url))
    }

    /// For a credential that is missing or not good.
    #[must_use]
    pub fn of_credential(refusal: CredentialRefusal, url: &str) -> Self {
        match refusal {
            CredentialRefusal::NoSuchDeployKey => Self::not_found(url),
            refusal => Self::Plain(PlainRefusal::of_credential(refusal, url)),
        }
    }

    /// For a body that cannot be had.
    #[must_use]
    pub fn unread(unread: UnreadBody) -> Self {
        let error = ApiError::from(unread);
        match error {
            ApiError::Busy(_) => Self::Plain(PlainRefusal::unavailable(&error)),
            error => {
                let body = LfsFailureResponse { message: error.to_string(), documentation_url: None };
                Self::Json(error.status(), body)
            }
        }
    }
}

/// The page that a refusal leads to.
pub fn help(url: &str) -> String {
    format!("{url}/help")
}

impl From<store::Error> for LfsRefusal {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::ReadOnly => Self::read_only(),
            error => Self::Plain(error.into()),
        }
    }
}

impl From<LfsStoreError> for LfsRefusal {
    fn from(error: LfsStoreError) -> Self {
        match error {
            LfsStoreError::Store(error) => error.into(),
            LfsStoreError::Files(error) => Self::Plain(PlainRefusal::no_storage(error)),
            error @ LfsStoreError::TwoSizes => {
                Self::Plain(PlainRefusal::unavailable(&ApiError::Internal(error.into())))
            }
        }
    }
}

impl From<std::io::Error> for LfsRefusal {
    fn from(error: std::io::Error) -> Self {
        LfsStoreError::from(error).into()
    }
}

impl IntoResponse for LfsRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(refusal) => refusal.into_response(),
            Self::Json(status, body) => {
                let headers = [(CONTENT_TYPE, HeaderValue::from_static(LFS_TYPE))];
                let mut response = (status, headers, Json(body)).into_response();
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LFS_TYPE));
                response.headers_mut().insert(CUSTOM_ERROR.clone(), HeaderValue::from_static("1"));
                response
            }
        }
    }
}

/// A body of LFS's own type.
pub fn lfs_json(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LFS_TYPE));
    response
}
