//! The error-tracking service: a token of its own, or one that gitlab-shell signs (shell.md 1.6).

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use subtle::{Choice, ConstantTimeEq};

use super::shell::ShellAuth;
use super::with_parameters;
use crate::domain::token;
use crate::http::error::ApiError;
use crate::store::{Db, error_tracking};

const TOKEN_HEADER: &str = "gitlab-error-tracking-token";

/// Shows that the error-tracking service called, or somebody with gitlab-shell's secret.
#[derive(Debug, Clone, Copy)]
pub struct ErrorTrackingCaller(());

impl<S: Sync> FromRequestParts<S> for ErrorTrackingCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().copied().ok_or(ApiError::Unauthorized)
    }
}

/// What the layer checks against.
#[derive(Clone)]
pub struct ErrorTrackingAuth {
    /// The other way in.
    pub shell: ShellAuth,
    /// Where the instance keeps the service's token.
    pub db: Db,
    /// What it is encrypted with there.
    pub db_key_base: SecretString,
}

impl ErrorTrackingAuth {
    async fn admit(&self, request: Request) -> Result<Request, ApiError> {
        let (request, parameters) = with_parameters(request).await?;
        let given = match parameters.get("error_tracking_token") {
            Some(token) => token.as_str(),
            None => request.headers().get(TOKEN_HEADER).and_then(|token| token.to_str().ok()),
        };
        // Owned, for a borrowed request must not be held while the database is asked.
        let given = given.map(|token| token.strip_suffix('\n').unwrap_or(token).to_owned());
        match given {
            Some(token) if self.is_token(&token).await? => Ok(request),
            Some(_) | None => self.shell.admit(request).await,
        }
    }

    async fn is_token(&self, given: &str) -> Result<bool, ApiError> {
        let Some(stored) = error_tracking::find_access_token(self.db.pool()).await? else { return Ok(false) };
        if stored.is_empty() || given.is_empty() {
            return Ok(false);
        }
        let forms = token::ciphertexts(given, self.db_key_base.expose_secret());
        let same = forms.iter().fold(Choice::from(0), |same, form| same | form.as_bytes().ct_eq(stored.as_bytes()));
        Ok(same.into())
    }
}

/// The layer: leaves an [`ErrorTrackingCaller`] on the request, or refuses it.
///
/// # Errors
/// 401, the same for every way in which the credential can be wrong.
pub async fn require(
    State(auth): State<ErrorTrackingAuth>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let mut request = auth.admit(request).await?;
    request.extensions_mut().insert(ErrorTrackingCaller(()));
    Ok(next.run(request).await)
}
