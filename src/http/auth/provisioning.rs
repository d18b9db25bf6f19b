//! Those who provision namespaces: administrators with a personal access token, and CustomersDot with a token that
//! it signs (provisioning.md 1.2 to 1.5).

use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;

use super::customers_dot::CustomersDotAuth;
use super::personal_access_token::{TokenAuth, TokenRefusal};
use crate::domain::ids::UserId;
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::domain::presented_token::TokenNeed;
use crate::http::error::ApiError;
use crate::http::grape::{BodyDoorkeeper, GrapeParameters};
use crate::http::layers::CorrelationId;

/// Shows that an administrator or CustomersDot called.
#[derive(Debug, Clone)]
pub struct Provisioner(LedgerAuthor);

impl Provisioner {
    /// Who it is, as the ledger names them.
    #[must_use]
    pub fn author(&self) -> &LedgerAuthor {
        &self.0
    }
}

/// Shows that somebody called who may look at some namespaces at least.
#[derive(Debug, Clone)]
pub struct Viewer(ViewerSight);

#[derive(Debug, Clone, Copy)]
enum ViewerSight {
    All,
    Of(UserId),
}

impl Viewer {
    /// The user whose rights count; nothing for one who sees everything.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match self.0 {
            ViewerSight::All => None,
            ViewerSight::Of(user) => Some(user),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Provisioner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or(ApiError::Unauthorized)
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or(ApiError::Unauthorized)
    }
}

/// What the layers check against.
#[derive(Debug, Clone)]
pub struct ProvisioningAuth {
    /// Administrators' tokens.
    pub tokens: TokenAuth,
    /// CustomersDot's.
    pub customers_dot: CustomersDotAuth,
}

impl ProvisioningAuth {
    /// CustomersDot where its header is there, an administrator otherwise: a token of CustomersDot's that is not good
    /// is not made good by another one.
    async fn admit(&self, request: Request, user: Option<TokenNeed>) -> Result<Request, TokenRefusal> {
        if CustomersDotAuth::is_named(request.headers()) {
            return Ok(admit_customers_dot(&self.customers_dot, request).await?);
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let administrator = if reads { TokenNeed::AdminReads } else { TokenNeed::AdminWrites };
        let (mut request, token) = self.tokens.admit(request, user.unwrap_or(administrator)).await?;
        let owner = &token.presented.owner;
        if !token.presented.is_administrators() {
            request.extensions_mut().insert(Viewer(ViewerSight::Of(owner.id)));
            return Ok(request);
        }
        leave(&mut request, LedgerActor::Administrator(owner.id, owner.username.clone()));
        Ok(request)
    }
}

impl BodyDoorkeeper for ProvisioningAuth {
    /// CustomersDot, or whoever has a token that is good for something: what it is good for is judged later.
    async fn admit_more(&self, head: &Parts) -> Result<(), TokenRefusal> {
        if CustomersDotAuth::is_named(&head.headers) {
            return self.customers_dot.admit_more(head).await;
        }
        let parameters = GrapeParameters::in_query(head.uri.query().unwrap_or_default())?;
        self.tokens.judge(parameters.map(), &head.headers, TokenNeed::Any).await.map(drop)
    }
}

impl BodyDoorkeeper for CustomersDotAuth {
    async fn admit_more(&self, head: &Parts) -> Result<(), TokenRefusal> {
        if self.accepts(&head.headers).await { Ok(()) } else { Err(ApiError::Unauthorized.into()) }
    }
}

async fn admit_customers_dot(customers_dot: &CustomersDotAuth, mut request: Request) -> Result<Request, ApiError> {
    if !customers_dot.accepts(request.headers()).await {
        return Err(ApiError::Unauthorized);
    }
    leave(&mut request, LedgerActor::CustomersPortal);
    Ok(request)
}

fn leave(request: &mut Request, actor: LedgerActor) {
    let request_id = request.extensions().get().map(|CorrelationId(id)| id.clone());
    request.extensions_mut().insert(Provisioner(LedgerAuthor { actor, request_id }));
    request.extensions_mut().insert(Viewer(ViewerSight::All));
}

/// The layer of endpoints for administrators and CustomersDot: leaves a [`Provisioner`] on the request, or refuses it.
///
/// # Errors
/// 401 without a good token, 403 where its scopes or its owner do not suffice.
pub async fn require(
    State(auth): State<ProvisioningAuth>,
    request: Request,
    next: Next,
) -> Result<Response, TokenRefusal> {
    Ok(next.run(auth.admit(request, None).await?).await)
}

/// The layer of endpoints that users may read: leaves a [`Viewer`] on the request, and what [`require`] leaves where an
/// administrator or CustomersDot calls.
///
/// # Errors
/// 401 without a good token, 403 where its scopes or its owner do not suffice.
pub async fn require_viewer(
    State(auth): State<ProvisioningAuth>,
    request: Request,
    next: Next,
) -> Result<Response, TokenRefusal> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    Ok(next.run(auth.admit(request, reads.then_some(TokenNeed::Reads)).await?).await)
}

/// The layer of endpoints for CustomersDot alone: leaves a [`Provisioner`] on the request, or refuses it.
///
/// # Errors
/// 401 without a good token.
pub async fn require_customers_dot(
    State(customers_dot): State<CustomersDotAuth>,
    request: Request,
    next: Next,
) -> Result<Response, TokenRefusal> {
    Ok(next.run(admit_customers_dot(&customers_dot, request).await?).await)
}
