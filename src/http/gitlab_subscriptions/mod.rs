//! The newer mounts of provisioning, below `/api/v4/internal/gitlab_subscriptions`: the same endpoints for the customers
//! portal alone (provisioning.md 7).

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::auth::customers_dot::CustomersDot;
use super::auth::provisioning::require_portal;
use super::provisioning::{ProvisioningState, around, subscription};

/// The area's routes.
pub fn router(state: ProvisioningState, portal: CustomersDot) -> Router {
    let routes = Router::new()
        .route(
            "/namespaces/{id}/gitlab_subscription",
            get(subscription::show).post(subscription::create).put(subscription::update),
        )
        .route_layer(from_fn_with_state(portal, require_portal));
    around(routes, state)
}
