//! The Admin area: pages for the people who run the installation, on a listener of their own.
//!
//! Its routes are not in the OpenAPI document: what they answer is HTML for people, which may change with each release,
//! and no program is to rely on it. Each has a row in `tests/it/auth_matrix/admin.rs` all the same.
//!
//! Pages are read by an `AdminCaller`, and forms are answered for an `ActingAdmin`: the layer of
//! [`crate::http::auth::admin`] makes both, and surrounds every route but the two that sign in and the files.

pub mod assets;
pub mod error;
pub mod flash;
mod limiter;
mod list;
mod overview;
mod page;
mod sessions;
mod sign_in;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use secrecy::SecretString;

use self::error::AdminError;
pub use self::limiter::SignInLimiter;
use super::auth::admin::{AdminAuth, require};
use crate::clock::Clock;
use crate::gitaly::GitalyClient;
use crate::store::{Db, DbBudgets};
use crate::telemetry::figures::RequestFigures;

/// What the handlers use.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// The connections of administrators.
    pub db: Db,
    /// All connections, to be counted, and those for what a page asks of the queue.
    pub budgets: DbBudgets,
    /// The storages, to be asked how they are.
    pub gitaly: GitalyClient,
    /// Their names.
    pub storages: Arc<[String]>,
    /// The clock.
    pub clock: Clock,
    /// What digests of tokens are salted with.
    pub db_key_base: SecretString,
    /// Who may call.
    pub auth: AdminAuth,
    /// Failures to sign in.
    pub limiter: SignInLimiter,
    /// What the last hour was like.
    pub figures: RequestFigures,
}

/// The routes that a session opens.
fn pages() -> Router<AdminState> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/sessions", get(sessions::list))
        .route("/admin/sessions/end", post(sessions::end))
        .route("/admin/sign_out", post(sign_in::delete))
        .route("/admin/users", get(users::list))
        .route("/admin/users/{id}", get(users::show))
}

/// The area's routes.
pub fn router(state: AdminState) -> Router {
    let open = Router::new()
        .route("/", get(async || axum::response::Redirect::to("/admin")))
        .route("/admin/sign_in", get(sign_in::show).post(sign_in::create))
        .route("/admin/assets/{file}", get(assets::show));
    pages()
        .route_layer(from_fn_with_state(state.auth.clone(), require))
        .merge(open)
        .fallback(async || AdminError::NoSuch("page"))
        .with_state(state)
}

/// The router with what browsers are told of every answer, and with failures in words.
pub fn for_browsers(router: Router) -> Router {
    router.layer(from_fn(tell_browsers))
}

/// What a browser lets a page do: nothing that is not ours, and nothing inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

async fn tell_browsers(request: Request, next: Next) -> Response {
    let mut response = error::in_words(next.run(request).await);
    let headers = response.headers_mut();
    let told = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in told {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The number that stands in a path, or a page that says that there is no such thing.
fn id(text: &str, noun: &'static str) -> Result<i64, AdminError> {
    text.parse().ok().filter(|id| *id > 0).ok_or(AdminError::NoSuch(noun))
}

/// The word for an access level.
fn level(level: i32) -> String {
    let word = match level {
        0 => "no access",
        5 => "minimal access",
        10 => "guest",
        15 => "planner",
        20 => "reporter",
        30 => "developer",
        40 => "maintainer",
        50 => "owner",
        60 => "administrator",
        other => return other.to_string(),
    };
    word.to_owned()
}
