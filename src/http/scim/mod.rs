//! SCIM, below `/api/scim/v2`: identity providers make, change and end the accounts of a group or of the installation.
//!
//! The same routes serve every base. In front of them the URL is taken apart, the token is judged, and the request goes
//! on with the path below its base and its caller.

pub mod body;
mod change;
mod create;
mod delete;
pub mod discovery;
pub mod error;
mod list;
mod one;
mod patch;
pub mod projection;
mod replace;
pub mod target;
pub mod user;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::Value;
use tower::ServiceExt;

use self::error::ScimError;
use self::projection::Projection;
use self::target::Target;
use super::auth::scim::ScimAuth;
use crate::clock::Clock;
use crate::domain::scim::search::USER_SCHEMA;
use crate::store::Db;

/// The type of every body.
pub const CONTENT: &str = "application/scim+json; charset=utf-8";

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

/// The area's routes.
pub fn router(state: ScimState, auth: ScimAuth) -> Router {
    let below = Router::new()
        .route("/.search", post(list::search))
        .route("/ResourceTypes", get(discovery::resource_types))
        .route("/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/Schemas", get(discovery::schemas))
        .route("/Schemas/{urn}", get(discovery::schema))
        .route("/ServiceProviderConfig", get(discovery::config))
        .route("/Users", get(list::get).post(create::create))
        .route("/Users/.search", post(list::search))
        .route("/Users/{id}", get(one::get).put(replace::replace).patch(patch::patch).delete(delete::delete))
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(no_such_url)
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .with_state(state);
    Router::new().fallback(front).with_state(Front { auth, below })
}

#[derive(Debug, Clone)]
struct Front {
    auth: ScimAuth,
    below: Router,
}

async fn front(State(front): State<Front>, mut request: Request) -> Result<Response, ScimError> {
    let uri = request.uri();
    if uri.path().len() + uri.query().map_or(0, str::len) > URL_BYTES {
        return Err(ScimError::UriTooLong);
    }
    let query = uri.query().unwrap_or_default().to_owned();
    let target = Target::parse(uri.path()).ok_or(ScimError::NoSuchUrl)?;
    let caller = front.auth.admit(&target.base, request.headers(), &query).await?;
    let path = if query.is_empty() { target.path } else { format!("{}?{query}", target.path) };
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| ScimError::NoSuchUrl)?;
    request.extensions_mut().insert(caller);
    front.below.oneshot(request).await.map_err(|never| match never {})
}

async fn method_not_allowed(uri: Uri) -> ScimError {
    ScimError::MethodNotAllowed(match uri.path() {
        "/Users" => "GET, HEAD, POST, OPTIONS",
        "/.search" | "/Users/.search" => "POST",
        path if path.starts_with("/Users/") => "GET, HEAD, PUT, PATCH, DELETE, OPTIONS",
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

/// What a query asks to see of a resource.
fn projection_of(query: Option<&str>) -> Projection {
    let pairs: Vec<_> = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect();
    let named = |wanted: &str| {
        let found = pairs.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_ref()).collect::<Vec<_>>()
    };
    Projection::new(USER_SCHEMA, named("attributes"), named("excludedAttributes"))
}

/// The answer that says nothing more.
fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response()
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, CONTENT), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}
