//! `/-/liveness`, `/-/readiness`, `/-/metrics`: what an operator's tools ask, on a listener of their own.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::openapi::RouteGroup;
use crate::clock::Clock;
use crate::domain::kas_usage::{UNIQUE_COUNTERS, UsagePeriod};
use crate::store::{self, DbBudgets, kas_usage};

/// What the handlers use.
#[derive(Clone)]
pub struct MonitoringState {
    /// The connections: readiness asks those that logins use.
    pub budgets: DbBudgets,
    /// The clock.
    pub clock: Clock,
    /// The metrics of this process.
    pub metrics: PrometheusHandle,
}

fn routes() -> OpenApiRouter<MonitoringState> {
    OpenApiRouter::new().routes(routes!(liveness)).routes(routes!(readiness)).routes(routes!(metrics))
}

const GROUP: RouteGroup = RouteGroup {
    tag: "monitoring",
    security: &[],
    failures: &[],
    failure: "FailureResponse",
    content: "application/json",
    also_sent_as: &[],
};

/// What the operator's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    GROUP.on(routes()).into_openapi()
}

/// The operator's routes.
pub fn router(state: MonitoringState) -> Router {
    Router::from(routes()).with_state(state).fallback(async || ApiError::NotFound)
}

/// `ok`, or `failed`.
#[derive(Debug, Serialize, ToSchema)]
struct LivenessResponse {
    status: &'static str,
}

/// The same, and the check that it rests on.
#[derive(Debug, Serialize, ToSchema)]
struct ReadinessResponse {
    status: &'static str,
    #[schema(value_type = Vec<LivenessResponse>)]
    db_check: [LivenessResponse; 1],
}

/// That the process answers.
#[utoipa::path(
    get,
    path = "/-/liveness",
    responses((status = 200, body = LivenessResponse, example = json!({ "status": "ok" })))
)]
async fn liveness() -> Json<LivenessResponse> {
    Json(LivenessResponse { status: "ok" })
}

/// Whether the database answers, which logins need.
#[utoipa::path(
    get,
    path = "/-/readiness",
    responses(
        (
            status = 200,
            body = ReadinessResponse,
            example = json!({ "status": "ok", "db_check": [{ "status": "ok" }] })
        ),
        (status = 503, description = "The database does not answer within a second", body = ReadinessResponse)
    )
)]
async fn readiness(State(state): State<MonitoringState>) -> (StatusCode, Json<ReadinessResponse>) {
    let answered = tokio::time::timeout(Duration::from_secs(1), store::ping(&state.budgets.lookups)).await;
    let (status, word) = match answered {
        Ok(Ok(())) => (StatusCode::OK, "ok"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
    };
    (status, Json(ReadinessResponse { status: word, db_check: [LivenessResponse { status: word }] }))
}

/// The metrics of this process, and what kas has counted.
#[utoipa::path(
    get,
    path = "/-/metrics",
    responses((status = 200, description = "In the text form of Prometheus", body = String, content_type = "text/plain"))
)]
async fn metrics(State(state): State<MonitoringState>) -> String {
    for (name, db) in state.budgets.each() {
        let (open, idle) = db.count();
        metrics::gauge!("gatehouse_pool_connections", "pool" => name, "state" => "open").set(f64::from(open));
        metrics::gauge!("gatehouse_pool_connections", "pool" => name, "state" => "idle").set(f64::from(idle));
    }
    // What kas has counted is in the database, the same for every server; without an answer the last figures stay.
    match tokio::time::timeout(Duration::from_secs(1), usage(&state)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the usage that kas reports is not among the metrics"),
        Err(_) => tracing::warn!("the usage that kas reports is not among the metrics: the database takes too long"),
    }
    state.metrics.render()
}

async fn usage(state: &MonitoringState) -> store::Result<()> {
    let db = &state.budgets.upkeep;
    for (counter, total) in kas_usage::list_totals(db, None).await? {
        let total = u64::try_from(total).unwrap_or_default();
        metrics::counter!("gatehouse_kas_usage_total", "counter" => counter).absolute(total);
    }
    let today = state.clock.now().date_naive();
    for (name, period) in [("week", UsagePeriod::week_of(today)), ("month", UsagePeriod::month_of(today))] {
        let counted = kas_usage::list_unique(db, period).await?;
        for counter in UNIQUE_COUNTERS {
            let ids = counted.iter().find(|(known, _)| known == counter).map_or(0, |(_, ids)| *ids);
            let ids = u32::try_from(ids).unwrap_or(u32::MAX);
            metrics::gauge!("gatehouse_kas_usage_unique", "counter" => counter, "period" => name).set(f64::from(ids));
        }
    }
    Ok(())
}
