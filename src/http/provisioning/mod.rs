//! The provisioning area: what CustomersDot and administrators give to namespaces, under `/api/v4`
//! (provisioning.md).

pub mod gitlab_subscriptions;
pub mod limit_exclusion;
pub mod limit_exclusions;
pub mod minutes;
pub mod minutes_move;
pub mod namespace;
pub mod pages;
mod refusal;
pub mod subscription;
pub mod subscription_add_on_purchase;
pub mod upcoming_reconciliations;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, patch, post, put};

use super::auth::personal_access_token::TokenAuth;
use super::auth::provisioning::{ProvisioningAuth, require, require_viewer};
use super::error::ApiError;
use super::grape::{self, BodyDoorkeeper};
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
    /// The installation's URL, for links to other pages of a list.
    pub url: String,
}

/// Where the documentation prints storage exclusions: without `/api`.
pub const DOCUMENTED_MOUNT: &str = "/v4";

/// The routes about storage exclusions once more, for [`DOCUMENTED_MOUNT`].
pub fn documented_router(state: ProvisioningState, auth: ProvisioningAuth) -> Router {
    with_layers(exclusions().route_layer(from_fn_with_state(auth.clone(), require)), auth, state)
}

/// The area's routes, below `/api/v4`.
pub fn router(state: ProvisioningState, auth: ProvisioningAuth) -> Router {
    let tokens = TokenAuth { documented_header: true, ..auth.tokens.clone() };
    let as_documented = ProvisioningAuth { tokens, ..auth.clone() };
    let subscriptions = Router::new()
        .route(
            "/namespaces/{id}/gitlab_subscription",
            get(subscription::show).post(subscription::create).put(subscription::update),
        )
        .route_layer(from_fn_with_state(as_documented, require_viewer));
    let purchases = Router::new()
        .route("/namespaces/{id}/minutes", post(minutes::create))
        .route("/namespaces/{id}/minutes/move/{target_id}", patch(minutes_move::update))
        .route(
            "/namespaces/{id}/subscription_add_on_purchase/{add_on_name}",
            get(subscription_add_on_purchase::show)
                .post(subscription_add_on_purchase::create)
                .put(subscription_add_on_purchase::update),
        )
        .merge(exclusions())
        .route_layer(from_fn_with_state(auth.clone(), require));
    // Who calls is asked after the gate.
    let reconciliations = Router::new()
        .route(
            "/internal/upcoming_reconciliations",
            put(upcoming_reconciliations::update).delete(upcoming_reconciliations::delete),
        )
        .route_layer(from_fn_with_state(auth.clone(), require))
        .route_layer(from_fn_with_state(state.clone(), gate));
    with_layers(subscriptions.merge(purchases).merge(reconciliations), auth, state)
}

fn exclusions() -> Router<ProvisioningState> {
    Router::new().route("/namespaces/storage/limit_exclusions", get(limit_exclusions::list)).route(
        "/namespaces/{id}/storage/limit_exclusion",
        post(limit_exclusion::create).delete(limit_exclusion::delete),
    )
}

async fn gate(State(state): State<ProvisioningState>, request: Request, next: Next) -> Result<Response, ApiError> {
    upcoming_reconciliations::only_with_plans(&state)?;
    Ok(next.run(request).await)
}

/// What surrounds all routes of provisioning: their parameters, and the headers that GitLab sends with every answer.
pub fn with_layers<D: BodyDoorkeeper>(
    routes: Router<ProvisioningState>,
    doorman: D,
    state: ProvisioningState,
) -> Router {
    routes
        .route_layer(from_fn_with_state((doorman, state.body_bytes), grape::read::<D>))
        .route_layer(map_response(with_guards))
        .with_state(state)
}

async fn with_guards(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
