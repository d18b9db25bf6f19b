//! SCIM's errors (RFC 7644, section 3.12), with GitLab's `message` beside them where GitLab has one.

use std::error::Error as StdError;

use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::CONTENT;
use crate::domain::scim::refusal::ScimRefusal;
use crate::http::error::{ApiError, READ_ONLY, SOON, report};
use crate::store;

/// The most of a request that a refusal repeats.
const REPEATED_BYTES: usize = 2048;

/// A failure, as an identity provider is told.
#[derive(Debug, thiserror::Error)]
pub enum ScimError {
    /// 400: the body, or the list of operations, is not of the right shape.
    #[error("{0}")]
    InvalidSyntax(String),
    /// 400: a value that cannot be understood.
    #[error("{0}")]
    InvalidValue(String),
    /// 400: an operation that removes nothing in particular.
    #[error("remove needs a path")]
    NoTarget,
    /// 412, in GitLab's words for every filter that it does not know.
    #[error("Unsupported Filter")]
    UnsupportedFilter,
    /// 404
    #[error("Resource {0} not found")]
    NoSuchResource(String),
    /// 404
    #[error("Group {0} not found")]
    NoSuchGroup(String),
    /// 404
    #[error("Group {0} does not have SAML SSO configured")]
    NoSaml(String),
    /// 404, of a URL.
    #[error("Not Found")]
    NoSuchUrl,
    /// 404: the licence does not cover it.
    #[error("404 Not Found")]
    NotLicensed,
    /// 401
    #[error("401 Unauthorized")]
    Unauthorized,
    /// 403, with the reason.
    #[error("403 Forbidden - {0}")]
    Forbidden(&'static str),
    /// 405, with the methods that there are.
    #[error("405 Not Allowed")]
    MethodNotAllowed(&'static str),
    /// 400: the answer would be too long.
    #[error("there are more members than one answer holds: leave them out with excludedAttributes=members")]
    TooMany,
    /// 409: it is another user's.
    #[error("{0}")]
    Conflict(String),
    /// 412 of a rule, with what it says.
    #[error("{0}")]
    Refused(String),
    /// 412 of an id that is another user's.
    #[error("{0}")]
    Taken(String),
    /// 412 of a rule about nothing in the request.
    #[error("{0}")]
    Prevented(String),
    /// 412: the resource has changed since the client read it.
    #[error("the resource is not of that version any more")]
    Changed,
    /// 412: a group keeps an owner; the user's name and the group's.
    #[error("Could not remove {0} from {1}. Cannot remove last group owner.")]
    LastOwner(String, String),
    /// 408
    #[error("the body came too slowly")]
    TooSlow,
    /// 413, with the limit.
    #[error("the request is too large: {0}")]
    TooLarge(String),
    /// 414
    #[error("the URL is too long")]
    UriTooLong,
    /// 415
    #[error("the body must be JSON")]
    UnsupportedMediaType,
    /// 501
    #[error("{0} is not supported")]
    NotImplemented(&'static str),
    /// 503
    #[error("Service Unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// 500: the source goes to the log, never to the client.
    #[error("Internal Server Error")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl ScimError {
    /// 409 or 412 of a rule that stands against what was tried. Replacing a user conflicts with another one as creating
    /// one does; a PATCH does not, as GitLab has it.
    #[must_use]
    pub fn of_rule(attempt: &str, refusal: &ScimRefusal, conflicts: bool) -> Self {
        let detail = format!("{attempt}: {refusal}");
        match refusal {
            ScimRefusal::UserTaken | ScimRefusal::EmailTaken | ScimRefusal::ExternUidTaken if conflicts => {
                Self::Conflict(detail)
            }
            ScimRefusal::UserTaken | ScimRefusal::EmailTaken | ScimRefusal::ExternUidTaken => Self::Taken(detail),
            ScimRefusal::LastOwner => Self::Prevented(detail),
            ScimRefusal::Missing(_)
            | ScimRefusal::Blank(_)
            | ScimRefusal::TooLong(..)
            | ScimRefusal::BadEmail
            | ScimRefusal::EmailDomain
            | ScimRefusal::NotLinked
            | ScimRefusal::NoFreeUsername => Self::Refused(detail),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::InvalidSyntax(_) | Self::InvalidValue(_) | Self::NoTarget | Self::TooMany => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoSuchResource(_) | Self::NoSuchGroup(_) | Self::NoSaml(_) | Self::NoSuchUrl | Self::NotLicensed => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::UnsupportedFilter
            | Self::Refused(_)
            | Self::Taken(_)
            | Self::Prevented(_)
            | Self::LastOwner(..)
            | Self::Changed => StatusCode::PRECONDITION_FAILED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn scim_type(&self) -> Option<&'static str> {
        match self {
            Self::InvalidSyntax(_) => Some("invalidSyntax"),
            Self::InvalidValue(_) | Self::Refused(_) => Some("invalidValue"),
            Self::NoTarget => Some("noTarget"),
            Self::TooMany => Some("tooMany"),
            Self::UnsupportedFilter => Some("invalidFilter"),
            Self::Conflict(_) | Self::Taken(_) => Some("uniqueness"),
            _ => None,
        }
    }

    /// Whether GitLab says it under `message`. Strict clients refuse a key more elsewhere.
    fn has_message(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden(_) | Self::MethodNotAllowed(_) | Self::NotLicensed)
    }
}

impl From<store::Error> for ScimError {
    fn from(error: store::Error) -> Self {
        // Also where others were faster each time: the same request will find what they wrote.
        if error.is_about_the_database() || error.is_lost_race() {
            Self::Unavailable(error.into())
        } else if matches!(error, store::Error::ReadOnly) {
            Self::Forbidden(READ_ONLY)
        } else {
            Self::Internal(error.into())
        }
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        let (status, detail) = (self.status(), self.to_string());
        let mut body = Map::new();
        body.insert("schemas".to_owned(), json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        body.insert("status".to_owned(), status.as_str().into());
        if let Some(scim_type) = self.scim_type() {
            body.insert("scimType".to_owned(), scim_type.into());
        }
        if self.has_message() {
            body.insert("message".to_owned(), detail.as_str().into());
        }
        body.insert("detail".to_owned(), detail.into());
        let headers = [(CONTENT_TYPE, CONTENT), (CACHE_CONTROL, "no-store")];
        let mut response = (status, headers, Value::Object(body).to_string()).into_response();
        match self {
            Self::Unauthorized => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::MethodNotAllowed(methods) => {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
            }
            Self::Unavailable(source) => {
                response.headers_mut().insert(RETRY_AFTER, SOON);
                report(&ApiError::Unavailable(source));
            }
            Self::Internal(source) => report(&ApiError::Internal(source)),
            _ => {}
        }
        response
    }
}

/// What was tried, for the detail of a refusal: `Error saving user with {…}`, with no secret in it.
#[must_use]
pub fn attempt(verb: &str, what: &str, request: &Value) -> String {
    let mut text = without_secrets(request).to_string();
    if text.len() > REPEATED_BYTES {
        text.truncate(text.floor_char_boundary(REPEATED_BYTES));
        text.push('…');
    }
    format!("Error {verb} {what} with {text}")
}

fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let lower = name.to_lowercase();
                let secret =
                    lower.contains("password") || ["token", "secret", "key"].iter().any(|end| lower.ends_with(end));
                (name.clone(), if secret { "[FILTERED]".into() } else { without_secrets(value) })
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(values) => values.iter().map(without_secrets).collect(),
        simple => simple.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scim-53
    #[test]
    fn what_a_refusal_repeats_holds_no_secret_and_is_short() {
        let request = json!({"password": "s3cret", "emails": [{"apiToken": "x"}], "client_secret": {"a": 1}, "key": 1});
        insta::assert_snapshot!(
            attempt("saving", "user", &request),
            @r#"Error saving user with {"client_secret":"[FILTERED]","emails":[{"apiToken":"[FILTERED]"}],"key":"[FILTERED]","password":"[FILTERED]"}"#
        );
        let long = attempt("saving", "user", &json!({"userName": "ä".repeat(5000)}));
        assert!(long.len() < 2200 && long.ends_with('…'), "{}", long.len());
    }
}
