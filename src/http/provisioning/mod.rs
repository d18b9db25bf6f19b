//! The provisioning area: what CustomersDot and administrators give to namespaces, under `/api/v4`
//! (provisioning.md).

pub mod gitlab_subscriptions;
pub mod limit_exclusion;
pub mod limit_exclusions;
pub mod minutes;
pub mod minutes_move;
pub mod namespace;
pub mod namespaces;
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
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::personal_access_token::TokenAuth;
use super::auth::provisioning::{ProvisioningAuth, require, require_viewer};
use super::error::ApiError;
use super::grape::{self, BodyDoorkeeper};
use super::openapi::{self, RouteGroup};
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

/// Routes by who may call them, and what stands in front.
struct ProvisioningRoutes {
    subscriptions: OpenApiRouter<ProvisioningState>,
    purchases: OpenApiRouter<ProvisioningState>,
    reconciliations: OpenApiRouter<ProvisioningState>,
}

fn routes() -> ProvisioningRoutes {
    let purchases = OpenApiRouter::new()
        .routes(routes!(namespaces::update))
        .routes(routes!(minutes::create))
        .routes(routes!(minutes_move::update))
        .routes(routes!(
            subscription_add_on_purchase::show,
            subscription_add_on_purchase::create,
            subscription_add_on_purchase::update
        ))
        .merge(exclusions());
    ProvisioningRoutes {
        subscriptions: OpenApiRouter::new().routes(routes!(
            subscription::show,
            subscription::create,
            subscription::update
        )),
        purchases,
        reconciliations: OpenApiRouter::new()
            .routes(routes!(upcoming_reconciliations::update, upcoming_reconciliations::delete)),
    }
}

fn exclusions() -> OpenApiRouter<ProvisioningState> {
    OpenApiRouter::new()
        .routes(routes!(limit_exclusions::list))
        .routes(routes!(limit_exclusion::create, limit_exclusion::delete))
}

const GROUP: RouteGroup = RouteGroup {
    tag: "provisioning",
    security: &[&[openapi::PERSONAL_ACCESS_TOKEN], &[openapi::BEARER], &[openapi::CUSTOMERS_DOT]],
    failures: openapi::TOKEN_FAILURES,
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: openapi::FORMS,
};

/// What the area's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let ProvisioningRoutes { subscriptions, purchases, reconciliations } = routes();
    GROUP.on(subscriptions.merge(purchases).merge(reconciliations)).into_openapi()
}

/// What the routes of [`DOCUMENTED_MOUNT`] say of themselves.
#[must_use]
pub fn documented_openapi() -> OpenApi {
    GROUP.on(exclusions()).into_openapi()
}

/// The routes about storage exclusions once more, for [`DOCUMENTED_MOUNT`].
pub fn documented_router(state: ProvisioningState, auth: ProvisioningAuth) -> Router {
    with_layers(exclusions().route_layer(from_fn_with_state(auth.clone(), require)), auth, state)
}

/// The area's routes, below `/api/v4`.
pub fn router(state: ProvisioningState, auth: ProvisioningAuth) -> Router {
    let tokens = TokenAuth { documented_header: true, ..auth.tokens.clone() };
    let as_documented = ProvisioningAuth { tokens, ..auth.clone() };
    let ProvisioningRoutes { subscriptions, purchases, reconciliations } = routes();
    let subscriptions = subscriptions.route_layer(from_fn_with_state(as_documented, require_viewer));
    let purchases = purchases.route_layer(from_fn_with_state(auth.clone(), require));
    // Who calls is asked after the gate.
    let reconciliations = reconciliations
        .route_layer(from_fn_with_state(auth.clone(), require))
        .route_layer(from_fn_with_state(state.clone(), gate));
    with_layers(subscriptions.merge(purchases).merge(reconciliations), auth, state)
}

async fn gate(State(state): State<ProvisioningState>, request: Request, next: Next) -> Result<Response, ApiError> {
    upcoming_reconciliations::only_with_plans(&state)?;
    Ok(next.run(request).await)
}

/// What surrounds all routes of provisioning: their parameters, and the headers that GitLab sends with every answer.
pub fn with_layers<D: BodyDoorkeeper>(
    routes: OpenApiRouter<ProvisioningState>,
    doorman: D,
    state: ProvisioningState,
) -> Router {
    routes
        .route_layer(from_fn_with_state((doorman, state.body_bytes), grape::read::<D>))
        .route_layer(map_response(with_guards))
        .with_state(state)
        .into()
}

async fn with_guards(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
