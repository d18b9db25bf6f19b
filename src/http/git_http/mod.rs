//! Git over HTTP: what Workhorse asks before it moves a byte, below the path of each repository (`git_http.md`).
//!
//! In front of the routes the URL is taken apart, and the request goes on with the path below the repository.

pub mod error;
mod geo_proxy;
mod git_receive_pack;
mod git_upload_pack;
mod info_refs;
mod lfs;
mod preauthorisation;
mod url;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::error::{CUSTOM_ERROR, PlainRefusal};
use self::url::GitUrl;
use super::auth::git_basic::GitBasicAuth;
use super::auth::workhorse::{self, WorkhorseAuth};
use super::client_address::ClientAddresses;
use super::error::ApiError;
use super::layers::MatchedRoute;
use super::openapi::{self, RouteGroup};
use super::storage::StorageAddresses;
use crate::background::last_used::LastUsedWriter;
use crate::background::refusals::RefusalWriter;
use crate::clock::Clock;
use crate::domain::repository::RepositoryPath;
use crate::lfs_files::LfsFiles;
use crate::services::check_access::AccessChecker;
use crate::store::Db;

/// What stands before the routes of a repository, as the document of the API has it.
pub const MOUNT: &str = "/{repository}.git";

/// What the area's handlers hold.
#[derive(Debug, Clone)]
pub struct GitHttpState {
    /// Who comes with which credential.
    pub auth: GitBasicAuth,
    /// The facts of who asks what, for LFS.
    pub db: Db,
    /// The files of LFS objects.
    pub files: LfsFiles,
    /// Who Workhorse is: some routes of LFS are for it and for clients alike.
    pub workhorse: WorkhorseAuth,
    /// What attempts are checked with.
    pub checker: Arc<AccessChecker>,
    /// Notes of who was seen, written behind the answers.
    pub last_used: LastUsedWriter,
    /// Where refused attempts are kept.
    pub refusals: RefusalWriter,
    /// The clock.
    pub clock: Clock,
    /// The area's settings.
    pub settings: Arc<GitHttpSettings>,
}

/// What the area's handlers need to know of the installation.
#[derive(Debug)]
pub struct GitHttpSettings {
    /// The installation's URL, without a slash at its end.
    pub url: String,
    /// What stands before every path.
    pub root: String,
    /// The Gitaly of each storage.
    pub storages: StorageAddresses,
    /// Whether git operations are audited.
    pub git_audit: bool,
    /// Whether LFS is offered at all.
    pub lfs: bool,
    /// The life of an LFS token that a batch is answered with.
    pub lfs_token_lifetime: Duration,
}

/// On a request: the repository that its URL names.
#[derive(Debug, Clone)]
pub struct RequestedRepository(pub RepositoryPath);

/// On a request: where its client is.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// What Workhorse asks, signed.
fn signed() -> OpenApiRouter<GitHttpState> {
    OpenApiRouter::new()
        .routes(routes!(info_refs::show))
        .routes(routes!(git_upload_pack::authorize))
        .routes(routes!(git_receive_pack::authorize))
}

/// What it asks of objects, signed, and hears as git-lfs does.
fn signed_objects() -> OpenApiRouter<GitHttpState> {
    OpenApiRouter::new().routes(routes!(lfs::authorize::authorize))
}

/// What git-lfs asks by itself; Workhorse hands it on as it is.
fn unsigned() -> OpenApiRouter<GitHttpState> {
    OpenApiRouter::new()
        .routes(routes!(lfs::batch::batch))
        .routes(routes!(lfs::deprecated::create))
        .routes(routes!(lfs::deprecated::show))
        .routes(routes!(lfs::locks::list, lfs::locks::create))
        .routes(routes!(lfs::locks_verify::verify))
        .routes(routes!(lfs::locks_unlock::unlock))
        .routes(routes!(lfs::download::show))
        .routes(routes!(lfs::upload::store))
}

/// Whether a request brings an LFS object, which is written away as it comes.
#[must_use]
pub fn is_upload(method: &Method, path: &str) -> bool {
    method == Method::PUT && path.contains(".git/gitlab-lfs/objects/")
}

const GROUP: RouteGroup = RouteGroup {
    tag: "git_http",
    security: &[&[openapi::WORKHORSE, openapi::BASIC], &[openapi::WORKHORSE]],
    failures: &[
        (401, "There is no credential and one is needed, or it is not good"),
        (403, "The request is not signed by Workhorse, the attempt is denied, or the client's address is shut out"),
        (404, "There is no such repository, or none that the client may see"),
        (408, "The body came too slowly"),
        (503, "The database or Gitaly does not answer, or there is too much to do"),
    ],
    failure: "PlainRefusal",
    // The two steps of an upload refuse an object as git-lfs is told it.
    also_refused_as: &[("LfsFailureResponse", "application/vnd.git-lfs+json")],
    content: "text/plain",
    also_sent_as: &[],
};

const LFS_GROUP: RouteGroup = RouteGroup {
    security: &[&[openapi::BASIC], &[]],
    failures: &[
        (401, "There is no credential and one is needed, or it is not good"),
        (403, "The client may only download, or its address is shut out"),
        (404, "There is no such repository or object, or none that the client may see"),
        (408, "The body came too slowly"),
        (501, "LFS is not offered here"),
        (503, "The database does not answer, or there is too much to do"),
    ],
    failure: "LfsFailureResponse",
    // Who has no credential that is good is refused as git is.
    also_refused_as: &[("PlainRefusal", "text/plain")],
    content: "application/vnd.git-lfs+json",
    ..GROUP
};

const OBJECT_GROUP: RouteGroup = RouteGroup { security: GROUP.security, ..LFS_GROUP };

/// What the routes of repositories say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let objects = OBJECT_GROUP.on(signed_objects());
    let mut document = GROUP.on(signed()).merge(objects).merge(LFS_GROUP.on(unsigned())).into_openapi();
    for item in document.paths.paths.values_mut() {
        let repository = ParameterBuilder::new()
            .name("repository")
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some("The path of a project, or of its wiki with `.wiki` at the end, slashes included"))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some("gnuwget/wget2".into()))
            .build();
        item.parameters = Some(vec![repository.into()]);
    }
    document
}

/// What the routes beside those of repositories say of themselves.
#[must_use]
pub fn api_openapi() -> OpenApi {
    geo_proxy::openapi()
}

/// The routes beside those of repositories, below `/api/v4`.
pub fn api_router(auth: WorkhorseAuth) -> Router {
    geo_proxy::router(auth)
}

/// Answers every path that no other area has.
pub fn router(state: GitHttpState, workhorse: WorkhorseAuth, addresses: ClientAddresses) -> Router {
    let below = Router::from(signed().merge(signed_objects()))
        .route_layer(from_fn_with_state(workhorse, workhorse::require))
        .merge(Router::from(unsigned()))
        .route_layer(from_fn(with_route))
        .method_not_allowed_fallback(async || PlainRefusal::no_such_url())
        .fallback(async || PlainRefusal::no_such_url())
        .with_state(state.clone());
    let dispatcher = GitDispatcher { below, addresses, settings: state.settings };
    Router::new().fallback(dispatch).with_state(dispatcher)
}

#[derive(Debug, Clone)]
struct GitDispatcher {
    below: Router,
    addresses: ClientAddresses,
    settings: Arc<GitHttpSettings>,
}

async fn dispatch(State(dispatcher): State<GitDispatcher>, request: Request) -> Response {
    let uri = request.uri().clone();
    let root = &dispatcher.settings.root;
    if uri.path().starts_with("/api/") {
        return ApiError::NoSuchRoute.into_response();
    }
    let Some(path) = uri.path().strip_prefix(root.as_str()) else { return PlainRefusal::no_such_url().into_response() };
    // What belongs to the API speaks as the API does.
    if !path.starts_with('/') || path.starts_with("/api/") || path.starts_with("/-/") {
        return ApiError::NoSuchRoute.into_response();
    }
    let Some(target) = GitUrl::parse(path) else { return PlainRefusal::no_such_url().into_response() };
    if request.method() == Method::HEAD && target.below == "/info/refs" {
        return (StatusCode::FORBIDDEN, [(CUSTOM_ERROR.clone(), HeaderValue::from_static("1"))]).into_response();
    }
    if !target.suffixed {
        return redirect(root, &target, request.method(), uri.query()).into_response();
    }
    answer(dispatcher, target, uri.query(), request).await.into_response()
}

/// To the same with `.git`, whether or not there is such a repository: git follows, and keeps the new address.
fn redirect(root: &str, target: &GitUrl, method: &Method, query: Option<&str>) -> Result<Response, PlainRefusal> {
    let known = matches!(query, None | Some("service=git-upload-pack" | "service=git-receive-pack"));
    let place =
        target.with_suffix().filter(|_| known && method == Method::GET).ok_or_else(PlainRefusal::no_such_url)?;
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    Ok((StatusCode::MOVED_PERMANENTLY, [(LOCATION, format!("{root}{place}{query}"))]).into_response())
}

async fn answer(
    dispatcher: GitDispatcher,
    target: GitUrl,
    query: Option<&str>,
    mut request: Request,
) -> Result<Response, PlainRefusal> {
    let path = query.map_or_else(|| target.below.clone(), |query| format!("{}?{query}", target.below));
    *request.uri_mut() = path.parse::<Uri>().map_err(|_| PlainRefusal::no_such_url())?;
    let address = dispatcher.addresses.find(request.extensions(), request.headers());
    request.extensions_mut().insert(ClientAddress(address));
    request.extensions_mut().insert(RequestedRepository(target.repository));
    // A layer of the outer router has said that no route was matched.
    let response = dispatcher.below.oneshot(request).await.unwrap_or_else(|never| match never {});
    Ok(response)
}

/// Says on the answer which route it came from.
async fn with_route(route: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(MatchedRoute(format!("{MOUNT}{}", route.as_str())));
    response
}
