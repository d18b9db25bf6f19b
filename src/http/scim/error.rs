//! The failures of the SCIM area: SCIM's error object, with GitLab's own `message` beside it where GitLab has one.

use axum::Json;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::MEDIA_TYPE;
use crate::domain::scim::refusal::Refusal;
use crate::http::error::{ApiError, report};
use crate::store;

/// The URN of the error schema.
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
/// The most of a request that a refusal repeats.
const REPEATED_BYTES: usize = 2048;

/// A failure, as a SCIM client is told.
#[derive(Debug, thiserror::Error)]
pub enum ScimError {
    /// 401: the same for every way in which a token can be wrong.
    #[error("401 Unauthorized")]
    Unauthorized,
    /// 403: this server has single sign-on switched off there.
    #[error("403 Forbidden - {0}")]
    Forbidden(&'static str),
    /// 404: the server has no SCIM of this kind.
    #[error("404 Not Found")]
    NoSuchFeature,
    /// 404: nothing has this URL.
    #[error("Not Found")]
    NoSuchUrl,
    /// 404: `Resource`, `Group`, and what the client calls it.
    #[error("{0} {1} not found")]
    NotFound(&'static str, String),
    /// 404: the group, by its path.
    #[error("Group {0} does not have SAML SSO configured")]
    NoSaml(String),
    /// 405, with what is allowed.
    #[error("405 Not Allowed")]
    MethodNotAllowed(&'static str),
    /// 400: it cannot be read.
    #[error("{0}")]
    InvalidSyntax(String),
    /// 400: a value of the wrong kind.
    #[error("{0}")]
    InvalidValue(String),
    /// 400: an operation without a target.
    #[error("{0}")]
    NoTarget(&'static str),
    /// 412: a filter that is not answered.
    #[error("Unsupported Filter")]
    UnsupportedFilter,
    /// 409 or 412: what was tried, and the rule that stands against it.
    #[error("{attempt}: {refusal}")]
    Refused {
        /// 409 or 412.
        status: StatusCode,
        /// What was tried, as [`attempt`] words it.
        attempt: String,
        /// Why not.
        refusal: Refusal,
    },
    /// 412: a group keeps an owner.
    #[error("Could not remove {user} from {group}. Cannot remove last group owner.")]
    LastOwner {
        /// The user's name.
        user: String,
        /// The group's name.
        group: String,
    },
    /// 412: the resource is not of the version that `If-Match` names.
    #[error("The resource has changed: its version is {0}")]
    Changed(String),
    /// 412, in the endpoint's own words.
    #[error("{0}")]
    Precondition(String),
    /// 413
    #[error("The request is too large: {0}")]
    TooLarge(String),
    /// 414
    #[error("The URL is too long: 16384 bytes are read")]
    UriTooLong,
    /// 415
    #[error("The content type must be application/scim+json or application/json")]
    UnsupportedMediaType,
    /// 501: what no SCIM client here needs.
    #[error("{0} is not supported")]
    NotImplemented(&'static str),
    /// 503 or 500: the source goes to the log, never to the client.
    #[error("{0}")]
    Failed(ApiError),
}

impl From<store::Error> for ScimError {
    fn from(error: store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl ScimError {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoSuchFeature | Self::NoSuchUrl | Self::NotFound(..) | Self::NoSaml(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::InvalidSyntax(_) | Self::InvalidValue(_) | Self::NoTarget(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedFilter | Self::LastOwner { .. } | Self::Changed(_) | Self::Precondition(_) => {
                StatusCode::PRECONDITION_FAILED
            }
            Self::Refused { status, .. } => *status,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Failed(error) => error.status(),
        }
    }

    fn scim_type(&self) -> Option<&'static str> {
        match self {
            Self::InvalidSyntax(_) => Some("invalidSyntax"),
            Self::InvalidValue(_) | Self::Precondition(_) => Some("invalidValue"),
            Self::NoTarget(_) => Some("noTarget"),
            Self::UnsupportedFilter => Some("invalidFilter"),
            Self::Refused { refusal: Refusal::LastOwner, .. } => None,
            Self::Refused { refusal, .. } => Some(if refusal.is_taken() { "uniqueness" } else { "invalidValue" }),
            _ => None,
        }
    }

    /// What GitLab says in words of its own, where it does not speak SCIM.
    fn message(&self) -> Option<String> {
        match self {
            Self::Unauthorized | Self::Forbidden(_) | Self::NoSuchFeature | Self::MethodNotAllowed(_) => {
                Some(self.to_string())
            }
            _ => None,
        }
    }

    /// The header that the status asks for.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            Self::MethodNotAllowed(allowed) => Some((ALLOW, HeaderValue::from_static(allowed))),
            _ => None,
        }
    }

    /// The error object.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = Map::from_iter([
            ("schemas".to_owned(), json!([ERROR_SCHEMA])),
            ("status".to_owned(), self.status().as_str().into()),
            ("detail".to_owned(), self.to_string().into()),
        ]);
        body.extend(self.scim_type().map(|word| ("scimType".to_owned(), word.into())));
        body.extend(self.message().map(|text| ("message".to_owned(), text.into())));
        Value::Object(body)
    }
}

impl IntoResponse for ScimError {
    fn into_response(self) -> Response {
        if let Self::Failed(error) = &self {
            report(error);
        }
        let mut response = (self.status(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.header());
        response
    }
}

/// What was tried, for the detail of a refusal: `Error saving user with {…}`, with no secret in it.
#[must_use]
pub fn attempt(verb: &str, whom: &str, request: &Value) -> String {
    let mut text = without_secrets(request).to_string();
    if text.len() > REPEATED_BYTES {
        text.truncate(text.floor_char_boundary(REPEATED_BYTES));
        text.push('…');
    }
    format!("Error {verb} {whom} with {text}")
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
