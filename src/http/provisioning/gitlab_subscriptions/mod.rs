//! The newer mounts of provisioning, below `/api/v4/internal/gitlab_subscriptions`: the same endpoints for
//! CustomersDot alone (provisioning.md 7).

mod owners;
mod provision;
mod subscription_add_on_purchases;
mod upcoming_reconciliations;
mod user_permissions;
mod users;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ProvisioningState, minutes, minutes_move, namespaces, subscription, with_layers};
use crate::http::auth::customers_dot::CustomersDotAuth;
use crate::http::auth::provisioning::require_customers_dot;
use crate::http::openapi::{self, RouteGroup};

fn routes() -> OpenApiRouter<ProvisioningState> {
    OpenApiRouter::new()
        .routes(routes!(namespaces::show, namespaces::update))
        .routes(routes!(owners::list))
        .routes(routes!(user_permissions::show))
        .routes(routes!(users::show))
        .routes(routes!(provision::create))
        .routes(routes!(subscription::show, subscription::create, subscription::update))
        .routes(routes!(minutes::create))
        .routes(routes!(minutes_move::update))
        .routes(routes!(subscription_add_on_purchases::create))
        .routes(routes!(subscription_add_on_purchases::show))
        .routes(routes!(upcoming_reconciliations::update, upcoming_reconciliations::delete))
}

const GROUP: RouteGroup = RouteGroup {
    tag: "gitlab_subscriptions",
    security: &[&[openapi::CUSTOMERS_DOT]],
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
pub fn router(state: ProvisioningState, customers_dot: CustomersDotAuth) -> Router {
    let routes = routes().route_layer(from_fn_with_state(customers_dot.clone(), require_customers_dot));
    with_layers(routes, customers_dot, state)
}
