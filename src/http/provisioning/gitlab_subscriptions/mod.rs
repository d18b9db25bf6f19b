//! The newer mounts of provisioning, below `/api/v4/internal/gitlab_subscriptions`: the same endpoints for
//! CustomersDot alone (provisioning.md 7).

mod subscription_add_on_purchases;
mod upcoming_reconciliations;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, patch, post, put};

use super::{ProvisioningState, minutes, minutes_move, subscription, with_layers};
use crate::http::auth::customers_dot::CustomersDotAuth;
use crate::http::auth::provisioning::require_customers_dot;

/// The area's routes.
pub fn router(state: ProvisioningState, customers_dot: CustomersDotAuth) -> Router {
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
        .route_layer(from_fn_with_state(customers_dot.clone(), require_customers_dot));
    with_layers(routes, customers_dot, state)
}
