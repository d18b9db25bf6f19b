//! SCIM: identity providers make, change and end the accounts of a group or of the installation.
//!
//! Both mounts are one implementation: the layer leaves the [`Tenant`] on the request, and what differs follows from it.

pub mod address;
mod body;
mod discovery;
pub mod error;
pub mod projection;
mod query;
pub mod user;
mod users;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use self::address::Resource;
use self::error::ScimError;
use super::auth::scim::{ScimAuth, ScimCaller, require};
use crate::clock::Clock;
use crate::domain::scim::tenant::Tenant;
use crate::store::Db;

/// Where the area is, below the installation's root.
pub const ROOT: &str = "/api/scim/v2";
/// The type of every answer, whatever the client accepts: some providers take no other.
pub const MEDIA_TYPE: &str = "application/scim+json; charset=utf-8";

/// What stays as it is in the path of a group within a URL.
const GROUP_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'/');

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct ScimState {
    /// The database.
    pub db: Db,
    /// The clock.
    pub clock: Clock,
    /// Bytes of a body at most.
    pub body_bytes: usize,
}

/// What is switched on, and the URL that all of it is under.
#[derive(Debug, Clone)]
pub struct ScimSettings {
    /// Groups have single sign-on.
    pub groups: bool,
    /// So has the installation.
    pub instance: bool,
    /// The installation has the feature.
    pub licensed: bool,
    /// A token may be a parameter of the query.
    pub token_parameters: bool,
    /// `https://host/api/scim/v2`
    pub url: String,
}

impl ScimSettings {
    /// The URL under which everything of the tenant is.
    #[must_use]
    pub fn base(&self, tenant: &Tenant) -> String {
        match tenant {
            Tenant::Group(group) => {
                format!("{}/groups/{}", self.url, utf8_percent_encode(&group.full_path, GROUP_PATH))
            }
            Tenant::Instance => format!("{}/application", self.url),
        }
    }
}

/// The area's routes. A group's path nests and an id may hold slashes, so the layer takes the path apart.
pub fn router(state: ScimState, auth: ScimAuth) -> Router {
    Router::new()
        .route("/application/{*rest}", get(serve).post(serve).put(serve).patch(serve).delete(serve).fallback(serve))
        .route("/groups/{*rest}", get(serve).post(serve).put(serve).patch(serve).delete(serve).fallback(serve))
        .route_layer(from_fn_with_state(auth, require))
        .fallback(async || ScimError::NoSuchUrl)
        .with_state(state)
}

const COLLECTION: &str = "GET, HEAD, POST, OPTIONS";
const RESOURCE: &str = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS";
const DISCOVERY: &str = "GET, HEAD, OPTIONS";

/// The endpoint that method and resource name.
async fn serve(State(scim): State<ScimState>, caller: ScimCaller, request: Request) -> Result<Response, ScimError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let method = request.method().clone();
    match (caller.resource(), &method) {
        (Resource::Users, _) if reads => users::list(&scim, &caller, &request.into_parts().0).await,
        (Resource::Users, &Method::POST) => users::create(&scim, &caller, request).await,
        (Resource::Users, _) => Err(ScimError::MethodNotAllowed(COLLECTION)),
        (Resource::User(id), _) if reads => users::show(&scim, &caller, id, &request.into_parts().0).await,
        (Resource::User(id), &Method::PATCH) => users::patch(&scim, &caller, id, request).await,
        (Resource::User(id), &Method::PUT) => users::replace(&scim, &caller, id, request).await,
        (Resource::User(id), &Method::DELETE) => users::delete(&scim, &caller, id, &request.into_parts().0).await,
        (Resource::User(_), _) => Err(ScimError::MethodNotAllowed(RESOURCE)),
        (Resource::ServiceProviderConfig | Resource::ResourceTypes(_) | Resource::Schemas(_), _) if !reads => {
            Err(ScimError::MethodNotAllowed(DISCOVERY))
        }
        (Resource::ServiceProviderConfig, _) => Ok(discovery::service_provider_config(&caller)),
        (Resource::ResourceTypes(id), _) => discovery::resource_types(&caller, id.as_deref()),
        (Resource::Schemas(id), _) => discovery::schemas(&caller, id.as_deref()),
        (Resource::UserSearch | Resource::Search | Resource::GroupSearch, _) => {
            Err(ScimError::NotImplemented("/.search"))
        }
        (Resource::Bulk, _) => Err(ScimError::NotImplemented("/Bulk")),
        (Resource::Me, _) => Err(ScimError::NotImplemented("/Me")),
        (Resource::Groups | Resource::Group(_) | Resource::Nothing, _) => Err(ScimError::NoSuchUrl),
    }
}

/// An answer of SCIM's type.
#[must_use]
pub fn scim_json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, MEDIA_TYPE), (CACHE_CONTROL, "no-store")], body.to_string()).into_response()
}

/// The answer without a body.
#[must_use]
pub fn no_content() -> Response {
    (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response()
}
