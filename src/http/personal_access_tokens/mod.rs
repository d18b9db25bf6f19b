//! Personal access tokens, below `/api/v4/personal_access_tokens`: what a token says of itself, and its end.

mod own;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::auth::personal_access_token::{TokenAuth, require_token};
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

/// The area's routes.
pub fn router(state: TokensState, auth: TokenAuth) -> Router {
    Router::new()
        .route("/self", get(own::show).delete(own::revoke))
        .route_layer(from_fn_with_state(auth, require_token))
        .with_state(state)
}
