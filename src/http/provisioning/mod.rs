//! The provisioning area: what the customers portal and administrators give to namespaces, under `/api/v4`
//! (provisioning.md).

pub mod namespace;
pub mod subscription;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;

use super::auth::admin::TokenAuth;
use super::auth::provisioning::{ProvisioningAuth, require_viewer};
use super::grape;
use crate::clock::Clock;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ProvisioningState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Whether reconciliations and storage exclusions are for this installation.
    pub check_namespace_plan: bool,
    /// Bytes of a body at most.
    pub body_bytes: usize,
}

/// The area's routes, below `/api/v4`.
pub fn router(state: ProvisioningState, auth: ProvisioningAuth) -> Router {
    let tokens = TokenAuth { documented_header: true, ..auth.tokens.clone() };
    let as_documented = ProvisioningAuth { tokens, ..auth };
    let routes = Router::new()
        .route(
            "/namespaces/{id}/gitlab_subscription",
            get(subscription::show).post(subscription::create).put(subscription::update),
        )
        .route_layer(from_fn_with_state(as_documented, require_viewer));
    around(routes, state)
}

/// What surrounds all routes of provisioning: their parameters, and the headers that GitLab sends with every answer.
pub fn around(routes: Router<ProvisioningState>, state: ProvisioningState) -> Router {
    routes
        .route_layer(from_fn_with_state(state.body_bytes, grape::read))
        .route_layer(map_response(with_guards))
        .with_state(state)
}

async fn with_guards(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
