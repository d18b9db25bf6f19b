//! The newer mounts of provisioning, below `/api/v4/internal/gitlab_subscriptions`: the same endpoints for the customers
//! portal alone (provisioning.md 7).

mod subscription_add_on_purchases;
mod upcoming_reconciliations;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post, put};

use super::auth::customers_dot::CustomersDot;
use super::auth::provisioning::require_portal;
use super::provisioning::{ProvisioningState, around, minutes, minutes_move, subscription};

/// The area's routes.
pub fn router(state: ProvisioningState, portal: CustomersDot) -> Router {
    let routes = Router::new()
        .route(
            "/namespaces/{id}/gitlab_subscription",
            get(subscription::show).post(subscription::create).put(subscription::update),
        )
        .route("/namespaces/{id}/minutes", post(minutes::create))
        .route("/namespaces/{id}/minutes/move/{target_id}", patch(minutes_move::update))
        .route("/namespaces/{id}/subscription_add_on_purchases", post(subscription_add_on_purchases::create))
        .route("/namespaces/{id}/subscription_add_on_purchases/{add_on_name}", get(subscription_add_on_purchases::show))
        .route(
            "/namespaces/{id}/upcoming_reconciliations",
            put(upcoming_reconciliations::update).delete(upcoming_reconciliations::delete),
        )
        .route_layer(from_fn_with_state(portal.clone(), require_portal));
    around(routes, portal, state)
}
