//! The Admin area: pages for the people who run the installation, on a listener of their own.
//!
//! Its routes are not in the OpenAPI document: what they answer is HTML for people, which may change with each release,
//! and no program is to rely on it. Each has a row in `tests/it/auth_matrix/admin.rs` all the same.
//!
//! Pages are read by an `AdminCaller`, and forms are answered for an `ActingAdmin`: the layer of
//! [`crate::http::auth::admin`] makes both, and surrounds every route but the two that sign in and the files.

mod acts;
mod agents;
pub mod assets;
mod audit;
mod check;
pub mod error;
mod expiring;
mod explain;
pub mod flash;
mod groups;
mod hooks;
mod jobs;
mod limiter;
mod list;
mod overview;
mod page;
mod projects;
mod provisioning;
mod push_rules;
mod refusals;
mod scim;
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

pub use self::check::LastCheck;
use self::error::AdminError;
pub use self::limiter::SignInLimiter;
use self::page::{Cell, Tone, badge};
use super::auth::admin::{AdminAuth, require};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::level::AccessLevel;
use crate::gitaly::GitalyClient;
use crate::services::check_access::AccessChecker;
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
    /// What the server was started with.
    pub settings: Arc<Settings>,
    /// The clock.
    pub clock: Clock,
    /// What digests of tokens are salted with.
    pub db_key_base: SecretString,
    /// Who may call.
    pub auth: AdminAuth,
    /// Failures to sign in.
    pub limiter: SignInLimiter,
    /// What attempts are explained with.
    pub access: Arc<AccessChecker>,
    /// What was judged last.
    pub last_check: LastCheck,
    /// What the last hour was like.
    pub figures: RequestFigures,
}

/// The routes that a session opens.
fn pages() -> Router<AdminState> {
    Router::new()
        .route("/admin", get(overview::show))
        .route("/admin/agents", get(agents::list))
        .route("/admin/agents/revoke", post(agents::revoke))
        .route("/admin/agents/{id}", get(agents::show))
        .route("/admin/audit", get(audit::list))
        .route("/admin/audit.csv", get(audit::csv))
        .route("/admin/check", get(check::show))
        .route("/admin/explain", get(explain::show))
        .route("/admin/expiring", get(expiring::ending_tokens))
        .route("/admin/expiring/keys", get(expiring::ending_keys))
        .route("/admin/expiring/unused_keys", get(expiring::unused_keys))
        .route("/admin/expiring/unused_tokens", get(expiring::unused_tokens))
        .route("/admin/groups", get(groups::list))
        .route("/admin/groups/{id}", get(groups::show))
        .route("/admin/groups/{id}/members", get(groups::members))
        .route("/admin/hooks", get(hooks::list))
        .route("/admin/hooks/enable", post(hooks::enable))
        .route("/admin/hooks/redeliver", post(hooks::redeliver))
        .route("/admin/hooks/resend", post(hooks::resend))
        .route("/admin/hooks/{id}", get(hooks::show))
        .route("/admin/jobs", get(jobs::list))
        .route("/admin/jobs/drop", post(jobs::drop_job))
        .route("/admin/jobs/retry", post(jobs::retry))
        .route("/admin/keys/remove", post(acts::remove_key))
        .route("/admin/projects", get(projects::list))
        .route("/admin/projects/{id}", get(projects::show))
        .route("/admin/projects/{id}/members", get(projects::members))
        .route("/admin/provisioning", get(provisioning::subscriptions))
        .route("/admin/provisioning/add_ons", get(provisioning::add_ons))
        .route("/admin/provisioning/exclusions", get(provisioning::exclusions))
        .route("/admin/provisioning/exclusions/add", post(provisioning::add_exclusion))
        .route("/admin/provisioning/exclusions/remove", post(provisioning::remove_exclusion))
        .route("/admin/provisioning/ledger", get(provisioning::ledger))
        .route("/admin/provisioning/minutes", get(provisioning::minutes))
        .route("/admin/provisioning/reconciliations", get(provisioning::reconciliations))
        .route("/admin/refusals", get(refusals::list))
        .route("/admin/scim", get(scim::list))
        .route("/admin/scim/{scope}", get(scim::show))
        .route("/admin/scim/{scope}/deactivate", post(scim::deactivate))
        .route("/admin/scim/{scope}/token", post(scim::new_token))
        .route("/admin/sessions", get(sessions::list))
        .route("/admin/sessions/end", post(sessions::end))
        .route("/admin/sign_out", post(sign_in::delete))
        .route("/admin/users", get(users::list))
        .route("/admin/tokens/revoke", post(acts::revoke_token))
        .route("/admin/users/{id}", get(users::show))
        .route("/admin/users/{id}/block", post(users::block))
        .route("/admin/users/{id}/unblock", post(users::unblock))
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

/// The word for a visibility.
fn visibility(level: i32) -> Cell {
    match level {
        20 => badge(Tone::Doubtful, "public"),
        10 => badge(Tone::Plain, "internal"),
        _ => badge(Tone::Plain, "private"),
    }
}

/// A size for people.
fn bytes(size: Option<i64>) -> String {
    let Some(size) = size else { return "not known".to_owned() };
    #[expect(clippy::cast_precision_loss, reason = "a figure to look at")]
    let mut rest = size as f64;
    let mut unit = "bytes";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if rest < 1024.0 {
            break;
        }
        (rest, unit) = (rest / 1024.0, next);
    }
    if unit == "bytes" { format!("{size} bytes") } else { format!("{rest:.1} {unit}") }
}

/// The word for an access level.
fn level(level: i32) -> String {
    AccessLevel(level).to_string()
}
