//! `/-/health`, `/-/liveness`, `/-/readiness`: how this server is. Operators hear it on their listener, and the addresses of
//! `monitoring.ip_whitelist` on that of clients too (`git_http.md` 1.5).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use ipnet::IpNet;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::client_address::ClientAddresses;
use super::error::ApiError;
use crate::store::{self, DbBudgets, jobs};

/// What the handlers use.
#[derive(Debug, Clone)]
pub struct HealthState {
    /// The connections: readiness asks those that logins use.
    pub budgets: DbBudgets,
    /// Whether this server is about to stop.
    pub stopping: watch::Receiver<bool>,
}

/// Who may ask among clients, and how their addresses are found.
#[derive(Debug, Clone)]
pub struct HealthGuard {
    /// The addresses.
    pub admitted: Arc<[IpNet]>,
    /// The proxies that clients come through.
    pub addresses: ClientAddresses,
}

/// The routes, for the document of the API.
#[must_use]
pub fn routes() -> OpenApiRouter<HealthState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(liveness)).routes(routes!(readiness))
}

/// The routes for whoever comes.
pub fn router(state: HealthState) -> Router {
    Router::from(routes()).with_state(state)
}

/// The routes beside those of clients: to others than the admitted there is nothing here.
pub fn guarded_router(state: HealthState, guard: HealthGuard) -> Router {
    router(state).route_layer(from_fn_with_state(guard, admit))
}

async fn admit(State(guard): State<HealthGuard>, request: Request, next: Next) -> Response {
    let address = guard.addresses.find(request.extensions(), request.headers());
    if guard.admitted.iter().any(|net| net.contains(&address)) {
        next.run(request).await
    } else {
        ApiError::NoSuchRoute.into_response()
    }
}

/// That the process answers, in GitLab's words.
#[utoipa::path(
    get,
    path = "/-/health",
    responses(
        (status = 200, body = String, content_type = "text/plain", example = "GitLab OK"),
        (status = 400, description = "The request is no HTTP")
    )
)]
async fn health() -> &'static str {
    "GitLab OK"
}

/// `ok`, or `failed`.
#[derive(Debug, Serialize, ToSchema)]
struct LivenessResponse {
    status: &'static str,
}

/// The same, and the checks beside it.
#[derive(Debug, Serialize, ToSchema)]
struct ReadinessResponse {
    #[schema(value_type = Vec<LivenessResponse>)]
    db_check: [LivenessResponse; 1],
    #[schema(value_type = Vec<LivenessResponse>)]
    db_write_check: [LivenessResponse; 1],
    #[schema(value_type = Vec<QueueResponse>)]
    job_queue_check: [QueueResponse; 1],
    status: &'static str,
}

/// That the process answers.
#[utoipa::path(
    get,
    path = "/-/liveness",
    responses(
        (status = 200, body = LivenessResponse, example = json!({ "status": "ok" })),
        (status = 400, description = "The request is no HTTP")
    )
)]
async fn liveness() -> Json<LivenessResponse> {
    Json(LivenessResponse { status: "ok" })
}

/// The queue, and how long its oldest job has been waiting that could run.
#[derive(Debug, Serialize, ToSchema)]
struct QueueResponse {
    oldest_seconds: Option<f64>,
    status: &'static str,
}

/// Whether this server should be asked: the database answers, which logins need, and the server is not about to stop.
/// Whether the database takes writes, and how old the queue is, is told beside that: fetches go on without.
#[utoipa::path(
    get,
    path = "/-/readiness",
    responses(
        (
            status = 200,
            body = ReadinessResponse,
            example = json!({
                "db_check": [{ "status": "ok" }],
                "db_write_check": [{ "status": "ok" }],
                "job_queue_check": [{ "oldest_seconds": 0.0, "status": "ok" }],
                "status": "ok"
            })
        ),
        (status = 400, description = "The request is no HTTP"),
        (
            status = 503,
            description = "The database does not answer within a second, or the server is about to stop",
            body = ReadinessResponse
        )
    )
)]
async fn readiness(State(state): State<HealthState>) -> (StatusCode, Json<ReadinessResponse>) {
    // Who may go on without the primary says so before a balancer gives up, which many do after a second.
    let standbys = state.budgets.replicas.as_ref().filter(|replicas| replicas.stale.is_some());
    let patience = Duration::from_millis(if standbys.is_some() { 500 } else { 1000 });
    let stands_in = async {
        match standbys {
            Some(standbys) => standbys.may_stand_in().await,
            None => false,
        }
    };
    let (writable, oldest, stands_in) = tokio::join!(
        tokio::time::timeout(patience, store::is_writable(&state.budgets.lookups)),
        tokio::time::timeout(patience, jobs::find_oldest_seconds(&state.budgets.upkeep)),
        tokio::time::timeout(patience, stands_in),
    );
    let (writable, oldest) = (writable.ok().and_then(Result::ok), oldest.ok().and_then(Result::ok));
    let word = |well: bool| if well { "ok" } else { "failed" };
    let ready = (writable.is_some() || stands_in.unwrap_or(false)) && !*state.stopping.borrow();
    let body = ReadinessResponse {
        db_check: [LivenessResponse { status: word(writable.is_some()) }],
        db_write_check: [LivenessResponse { status: word(writable == Some(true)) }],
        job_queue_check: [QueueResponse { oldest_seconds: oldest, status: word(oldest.is_some()) }],
        status: word(ready),
    };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(body))
}
