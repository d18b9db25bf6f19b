//! Personal access tokens, below `/api/v4/personal_access_tokens`: what a token says of itself, and its end.

mod own;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::personal_access_token::{TokenAuth, require_token};
use super::openapi::{self, RouteGroup};
use crate::clock::Clock;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct TokensState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
}

fn routes() -> OpenApiRouter<TokensState> {
    OpenApiRouter::new().routes(routes!(own::show, own::revoke))
}

const GROUP: RouteGroup = RouteGroup {
    tag: "personal_access_tokens",
    security: &[&[openapi::PERSONAL_ACCESS_TOKEN], &[openapi::BEARER]],
    failures: openapi::TOKEN_FAILURES,
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: openapi::FORMS,
};

/// What the area's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    GROUP.on(routes()).into_openapi()
}

/// The area's routes.
pub fn router(state: TokensState, auth: TokenAuth) -> Router {
    routes().route_layer(from_fn_with_state(auth, require_token)).with_state(state).into()
}
