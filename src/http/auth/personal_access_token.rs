//! Users who call with a personal access token.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::with_parameters;
use crate::background::last_used::{LastUse, LastUsedWriter};
use crate::clock::Clock;
use crate::crypto::secrets::token_salt;
use crate::domain::presented_token::{TokenNeed, TokenRejection};
use crate::domain::token;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::store::tokens::{self, KnownToken};
use crate::store::{self, Db};

/// What the layers check against.
#[derive(Debug, Clone)]
pub struct TokenAuth {
    /// Where tokens are known.
    pub db: Db,
    /// What their digests are salted with.
    pub db_key_base: SecretString,
    /// The clock.
    pub clock: Clock,
    /// Notes of which token was used.
    pub last_used: LastUsedWriter,
    /// The installation's URL.
    pub url: String,
    /// Whether `TOKEN` is another name of `PRIVATE-TOKEN`, as GitLab's documentation of subscriptions prints it. GitLab
    /// itself knows no such header.
    pub documented_header: bool,
}

impl TokenAuth {
    /// The request and the token that it came with, where that is what the request needs.
    pub(super) async fn admit(&self, request: Request, need: TokenNeed) -> Result<(Request, KnownToken), TokenRefusal> {
        let (request, parameters) = match request.extensions().get::<GrapeParameters>() {
            Some(parameters) => {
                let parameters = parameters.map().clone();
                (request, parameters)
            }
            None => with_parameters(request).await?,
        };
        let token = self.judge(&parameters, request.headers(), need).await?;
        Ok((request, token))
    }

    /// The token that a request with these parameters and headers came with, where that is what the request needs.
    pub(super) async fn judge(
        &self,
        parameters: &Map<String, Value>,
        headers: &HeaderMap,
        need: TokenNeed,
    ) -> Result<KnownToken, TokenRefusal> {
        let text = self.presented(parameters, headers).ok_or(ApiError::Unauthorized)?;
        let digest = token::digest(&text, token_salt(&self.db_key_base));
        let token = tokens::find_known(self.db.pool(), &digest).await?.ok_or(ApiError::Unauthorized)?;
        let now = self.clock.now();
        token.presented.judge(need, now.date_naive()).map_err(|rejection| TokenRefusal::of(rejection, &self.url))?;
        self.last_used.note(LastUse::token(&token, now));
        Ok(token)
    }

    /// The token that counts, of those that a request may carry: the first that is not blank (provisioning.md 1.2).
    fn presented(&self, parameters: &Map<String, Value>, headers: &HeaderMap) -> Option<String> {
        let parameter = |name: &str| parameters.get(name).and_then(Value::as_str);
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = || {
            let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        };
        let candidates = [
            parameter("private_token"),
            header("private-token"),
            if self.documented_header { header("token") } else { None },
            bearer(),
            parameter("access_token"),
            parameter("bearer_token"),
        ];
        candidates.into_iter().flatten().map(str::trim).find(|token| !token.is_empty()).map(str::to_owned)
    }
}

/// A refusal in the words of GitLab's public API.
#[derive(Debug)]
pub enum TokenRefusal {
    /// In those that all areas share.
    Plain(ApiError),
    /// As OAuth has it: status, error, description, and the scopes that would do.
    OAuth(StatusCode, &'static str, &'static str, Option<&'static str>),
}

impl TokenRefusal {
    /// The words for a rejection (provisioning.md 1.3); `url` is the installation's.
    #[must_use]
    pub fn of(rejection: TokenRejection, url: &str) -> Self {
        let invalid = |description| Self::OAuth(StatusCode::UNAUTHORIZED, "invalid_token", description, None);
        match rejection {
            TokenRejection::Expired => {
                invalid("Token is expired. You can either do re-authorization or token refresh.")
            }
            TokenRejection::Revoked => invalid("Token was revoked. You have to re-authorize from the user."),
            TokenRejection::Account(denial) => {
                let message = format!("403 Forbidden - {}", denial.sentence(url));
                Self::Plain(ApiError::Refused(StatusCode::FORBIDDEN, message))
            }
            TokenRejection::Scope(wanted) => Self::OAuth(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "The request requires higher privileges than provided by the access token.",
                Some(wanted),
            ),
            TokenRejection::NotAnAdmin => Self::Plain(ApiError::Forbidden("")),
        }
    }
}

impl From<ApiError> for TokenRefusal {
    fn from(error: ApiError) -> Self {
        Self::Plain(error)
    }
}

impl From<store::Error> for TokenRefusal {
    fn from(error: store::Error) -> Self {
        Self::Plain(error.into())
    }
}

impl IntoResponse for TokenRefusal {
    fn into_response(self) -> Response {
        match self {
            Self::Plain(error) => error.into_response(),
            Self::OAuth(status, error, description, scope) => {
                let mut body = json!({ "error": error, "error_description": description });
                if let Some(scope) = scope {
                    body["scope"] = scope.into();
                }
                let challenge = format!(
                    r#"Bearer realm="Protected by OAuth 2.0", error="{error}", error_description="{description}""#
                );
                (status, [(WWW_AUTHENTICATE, challenge)], Json(body)).into_response()
            }
        }
    }
}
