//! SCIM, below `/api/scim/v2`: identity providers make, change and end the accounts of a group or of the installation.
//!
//! The same routes serve every base. In front of them the URL is taken apart, the token is judged, and the request goes
//! on with the path below its base and its caller.

pub mod body;
mod bulk;
pub mod discovery;
pub mod error;
mod groups;
mod list_request;
mod openapi;
mod patch_operation;
pub mod projection;
pub mod schemas;
mod search;
pub mod url;
mod users;
mod version;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

use self::error::ScimError;
use self::projection::AttributeProjection;
use self::url::{ScimBase, ScimUrl};
use super::auth::scim::ScimAuth;
use super::layers::MatchedRoute;
use crate::background::scim_calls::ScimCallWriter;
use crate::clock::Clock;
use crate::domain::scim::tenant::ScimTenant;
use crate::domain::scim::version::version_of;
use crate::store::Db;
use crate::store::scim_calls::ScimCall;

/// The type of every body.
pub const CONTENT: &str = "application/scim+json; charset=utf-8";

/// Where the area is mounted.
pub const MOUNT: &str = "/api/scim/v2";

/// Bytes of a body at most.
const BODY_BYTES: usize = 1 << 20;
const URL_BYTES: usize = 16 << 10;

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ScimState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
}

/// What a group's users are below, and those of the installation.
const GROUP_BASE: &str = "/groups/{path}";
const INSTANCE_BASE: &str = "/application";

/// The routes below a group.
fn of_group() -> OpenApiRouter<ScimState> {
    users().merge(discovery())
}

/// The routes below the installation; `for_bulk` answers the requests in the body of one.
fn of_instance(for_bulk: Router) -> OpenApiRouter<ScimState> {
    users().merge(groups()).merge(discovery()).routes(routes!(bulk::bulk).with_state(for_bulk))
}

fn users() -> OpenApiRouter<ScimState> {
    OpenApiRouter::new()
        .routes(routes!(search::search))
        .routes(routes!(users::list::list, users::create::create))
        .routes(routes!(users::list::search))
        .routes(routes!(users::one::get, users::replace::replace, users::patch::patch, users::delete::delete))
}

fn groups() -> OpenApiRouter<ScimState> {
    OpenApiRouter::new()
        .routes(routes!(groups::list::list, groups::create::create))
        .routes(routes!(groups::list::search))
        .routes(routes!(groups::one::get, groups::replace::replace, groups::patch::patch, groups::delete::delete))
}

fn discovery() -> OpenApiRouter<ScimState> {
    OpenApiRouter::new()
        .routes(routes!(discovery::resource_types))
        .routes(routes!(discovery::resource_type))
        .routes(routes!(discovery::schemas))
        .routes(routes!(discovery::schema))
        .routes(routes!(discovery::config))
}

/// What the area's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    openapi::document(of_group(), of_instance(Router::new()))
}

/// The area's routes.
pub fn router(state: &ScimState, auth: ScimAuth, calls: ScimCallWriter) -> Router {
    let for_bulk = with_layers(users().merge(groups()), state);
    let of_instance = with_layers(of_instance(for_bulk), state);
    let of_group = with_layers(of_group(), state);
    let dispatcher = ScimDispatcher { auth, calls, clock: state.clock.clone(), of_group, of_instance };
    Router::new().fallback(dispatch).with_state(dispatcher)
}

fn with_layers(routes: OpenApiRouter<ScimState>, state: &ScimState) -> Router {
    Router::from(routes)
        .route_layer(from_fn(with_route))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_url)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(state.clone())
}

#[derive(Debug, Clone)]
struct ScimDispatcher {
    auth: ScimAuth,
    calls: ScimCallWriter,
    clock: Clock,
    of_group: Router,
    of_instance: Router,
}

async fn dispatch(State(dispatcher): State<ScimDispatcher>, request: Request) -> Result<Response, ScimError> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > URL_BYTES {
        return Err(ScimError::UriTooLong);
    }
    let query = uri.query().unwrap_or_default().to_owned();
    let target = ScimUrl::parse(uri.path()).ok_or(ScimError::NoSuchUrl)?;
    let scope = match target.base {
        ScimBase::Group(_) => "group",
        ScimBase::Instance => "instance",
    };
    let response = answer(dispatcher, target, &query, request).await.into_response();
    let outcome = outcome(response.status());
    metrics::counter!("gatehouse_scim_requests_total", "scope" => scope, "outcome" => outcome).increment(1);
    Ok(response)
}

/// What metrics call such an answer.
fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..400 => "done",
        401 => "unauthorized",
        404 => "not_found",
        409 => "conflict",
        400..500 => "refused",
        503 => "unavailable",
        _ => "failed",
    }
}

async fn answer(
    dispatcher: ScimDispatcher,
    target: ScimUrl,
    query: &str,
    mut request: Request,
) -> Result<Response, ScimError> {
    let caller = dispatcher.auth.admit(&target.base, request.headers(), query).await?;
    let path = if query.is_empty() { target.path } else { format!("{}?{query}", target.path) };
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| ScimError::NoSuchUrl)?;
    let (below, base) = match caller.tenant() {
        ScimTenant::Group(_) => (dispatcher.of_group, GROUP_BASE),
        ScimTenant::Instance => (dispatcher.of_instance, INSTANCE_BASE),
    };
    let (scope, method) = (caller.scope(), request.method().to_string());
    request.extensions_mut().insert(caller);
    let mut response = below.oneshot(request).await.unwrap_or_else(|never| match never {});
    let mut pattern = "a URL that is not there".to_owned();
    if let Some(MatchedRoute(route)) = response.extensions_mut().get_mut() {
        // The pattern starts with where the area is mounted, and lacks the base.
        *route = route.replacen(MOUNT, &format!("{MOUNT}{base}"), 1);
        pattern.clone_from(route);
    }
    let (called_at, status) = (dispatcher.clock.now(), response.status().as_u16());
    dispatcher.calls.note(ScimCall { scope, called_at, method, route: pattern, status });
    Ok(response)
}

/// Says on the answer which route it came from.
async fn with_route(route: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(MatchedRoute(route.as_str().to_owned()));
    response
}

async fn method_not_allowed(uri: Uri) -> ScimError {
    ScimError::MethodNotAllowed(match uri.path() {
        "/Users" | "/Groups" => "GET, HEAD, POST, OPTIONS",
        "/.search" | "/Users/.search" | "/Groups/.search" | "/Bulk" => "POST",
        path if path.starts_with("/Users/") || path.starts_with("/Groups/") => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
        _ => "GET, HEAD",
    })
}

async fn no_such_url(uri: Uri) -> ScimError {
    match uri.path() {
        "/Bulk" => ScimError::NotImplemented("Bulk"),
        "/Me" => ScimError::NotImplemented("Me"),
        _ => ScimError::NoSuchUrl,
    }
}

/// What a query asks to see of a resource, which is of this schema.
fn projection_of(schema: &str, query: Option<&str>) -> AttributeProjection {
    let pairs: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let named = |wanted: &str| {
        let found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_ref()).collect::<Vec<_>>()
    };
    AttributeProjection::new(schema, named("attributes"), named("excludedAttributes"))
}

/// The answer that says nothing more.
fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response()
}

/// The answer that is a resource, with its version, and where it is new with its place.
fn resource_answer(
    status: StatusCode,
    resource: Map<String, Value>,
    updated_at: DateTime<Utc>,
    location: &str,
) -> Response {
    let mut response = json_answer(status, &Value::Object(resource));
    let headers = [(ETAG, version_of(updated_at)), (LOCATION, location.to_owned())];
    for (name, value) in headers {
        let shown = name != LOCATION || status == StatusCode::CREATED;
        if let Some(value) = value.parse().ok().filter(|_| shown) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A moment as it is shown.
fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, CONTENT), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}
