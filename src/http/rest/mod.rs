//! The public REST API that management clients need, below `/api/v4` (rest.md).
//!
//! Each family of endpoints is a module with its own `routes()`. Paths that begin alike must name their parameters alike:
//! the first one is `{id}` everywhere, and the second one `{key}`.

pub mod access_tokens;
pub mod changing;
pub mod deploy_keys;
pub mod deploy_tokens;
pub mod emails;
pub mod entities;
pub mod fault;
pub mod found;
pub mod groups;
pub mod hooks;
pub mod instance;
pub mod keys;
pub mod members;
pub mod namespaces;
pub mod params;
pub mod personal_access_tokens;
pub mod precondition;
pub mod projects;
pub mod protected_refs;
pub mod push_rules;
pub mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use self::hooks::test_limiter::HookTestLimiter;
use super::auth::rest::{RestAuth, require};
use super::grape;
use super::openapi::{self, RouteGroup};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::secrets::Secrets;
use crate::gitaly::GitalyClient;
use crate::services::outbound::OutboundClient;
use crate::store::Db;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct RestState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// The storages.
    pub gitaly: GitalyClient,
    /// The installation's URL.
    pub url: String,
    /// What stands before the path in an SSH URL of a repository.
    pub ssh_prefix: String,
    /// All settings: what is configured is shown and kept here in many places.
    pub settings: Arc<Settings>,
    /// What secrets are sealed and digested with.
    pub secrets: Arc<Secrets>,
    /// The way out, for tests of web hooks.
    pub outbound: OutboundClient,
    /// How often these are tested.
    pub hook_tests: HookTestLimiter,
}

fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .merge(instance::routes())
        .merge(users::routes())
        .merge(keys::routes())
        .merge(emails::routes())
        .merge(personal_access_tokens::routes())
        .merge(namespaces::routes())
        .merge(groups::routes())
        .merge(members::routes())
        .merge(projects::routes())
        .merge(protected_refs::routes())
        .merge(deploy_keys::routes())
        .merge(hooks::routes())
        .merge(push_rules::routes())
        .merge(access_tokens::routes())
        .merge(deploy_tokens::routes())
}

const GROUP: RouteGroup = RouteGroup {
    tag: "rest",
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

/// The area's routes, below `/api/v4`.
pub fn router(state: RestState, auth: RestAuth) -> Router {
    let most = state.settings.gatehouse.limits.body_bytes;
    routes()
        .route_layer(from_fn_with_state(auth.clone(), require))
        .route_layer(from_fn_with_state((auth, most), grape::read::<RestAuth>))
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
