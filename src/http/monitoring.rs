//! `/-/metrics` and the API's description: what an operator's tools ask, on a listener of their own. How the server is
//! (`health.rs`) they hear there too.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use chrono::NaiveTime;
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::Config;

use super::error::ApiError;
use super::health::{self, HealthState};
use super::openapi::RouteGroup;
use crate::clock::Clock;
use crate::domain::kas_usage::{UNIQUE_COUNTERS, UsagePeriod};
use crate::store::{self, jobs, kas_usage, secret_expiry};

/// What the handlers use.
#[derive(Clone)]
pub struct MonitoringState {
    /// How this server is, and its connections.
    pub health: HealthState,
    /// The clock.
    pub clock: Clock,
    /// The metrics of this process.
    pub metrics: PrometheusHandle,
    /// What the API says of itself, as JSON.
    pub openapi: Bytes,
}

fn routes() -> OpenApiRouter<MonitoringState> {
    OpenApiRouter::new().routes(routes!(metrics)).routes(routes!(openapi_json))
}

const GROUP: RouteGroup = RouteGroup {
    tag: "monitoring",
    security: &[],
    failures: &[],
    failure: "FailureResponse",
    also_refused_as: &[],
    content: "application/json",
    also_sent_as: &[],
};

/// What the operator's routes say of themselves.
#[must_use]
pub fn openapi() -> OpenApi {
    let mut document = GROUP.on(health::routes()).into_openapi();
    document.merge(GROUP.on(routes()).into_openapi());
    document
}

/// The operator's routes.
pub fn router(state: MonitoringState) -> Router {
    let pages = Router::new().route("/-/docs", get(docs)).route("/-/docs/{file}", get(docs_file));
    let health = health::router(state.health.clone());
    Router::from(routes()).merge(pages).with_state(state).merge(health).fallback(async || ApiError::NotFound)
}

/// The metrics of this process, and figures that all servers share.
#[utoipa::path(
    get,
    path = "/-/metrics",
    responses(
        (status = 200, description = "In the text form of Prometheus", body = String, content_type = "text/plain"),
        (status = 400, description = "The request is no HTTP")
    )
)]
async fn metrics(State(state): State<MonitoringState>) -> String {
    for (name, db) in state.health.budgets.each() {
        let (open, idle) = db.count();
        metrics::gauge!("gatehouse_pool_connections", "pool" => name, "state" => "open").set(f64::from(open));
        metrics::gauge!("gatehouse_pool_connections", "pool" => name, "state" => "idle").set(f64::from(idle));
    }
    if !state.health.budgets.upkeep.is_read_only() {
        let writable =
            tokio::time::timeout(Duration::from_secs(1), store::is_writable(&state.health.budgets.upkeep)).await;
        metrics::gauge!("gatehouse_database_writable").set(if matches!(writable, Ok(Ok(true))) { 1.0 } else { 0.0 });
    }
    // These are in the database, the same for every server; without an answer the last figures stay.
    let figures = async {
        queue(&state).await?;
        secrets(&state).await?;
        usage(&state).await
    };
    match tokio::time::timeout(Duration::from_secs(1), figures).await {
        Ok(Ok(())) => {}
        // The database's own troubles are in the log already.
        Ok(Err(error)) if error.is_about_the_database() => {}
        Ok(Err(error)) => tracing::warn!(%error, "figures of the database are not among the metrics"),
        Err(_) => tracing::debug!("figures of the database are not among the metrics: it takes too long"),
    }
    state.metrics.render()
}

/// What this API says of itself: OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/-/openapi.json",
    responses(
        (status = 200, body = Object),
        (status = 400, description = "The request is no HTTP")
    )
)]
async fn openapi_json(State(state): State<MonitoringState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], state.openapi)
}

/// The page that shows it.
async fn docs() -> Redirect {
    Redirect::to("/-/docs/index.html")
}

/// A file of that page. It asks nobody else, and sends nothing: the API is on another listener.
async fn docs_file(Path(file): Path<String>) -> Result<Response, ApiError> {
    let config = Config::from("/-/openapi.json")
        .validator_url("none")
        .supported_submit_methods(Vec::<String>::new())
        .doc_expansion("none");
    let found = utoipa_swagger_ui::serve(&file, Arc::new(config));
    let found = found.map_err(|error| ApiError::Internal(error.to_string().into()))?.ok_or(ApiError::NotFound)?;
    let headers = [
        (CONTENT_TYPE, found.content_type),
        (CONTENT_SECURITY_POLICY, DOCS_POLICY.to_owned()),
        (CONTENT_ENCODING, if found.gzpipped { "gzip" } else { "identity" }.to_owned()),
    ];
    Ok((headers, found.bytes.into_owned()).into_response())
}

/// What a browser lets the page do.
const DOCS_POLICY: &str = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'";

async fn queue(state: &MonitoringState) -> store::Result<()> {
    let facts = jobs::find_queue_facts(&state.health.budgets.upkeep).await?;
    for (name, count) in
        [("ready", facts.ready), ("retrying", facts.retrying), ("running", facts.running), ("dead", facts.dead)]
    {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("gatehouse_jobs", "state" => name).set(f64::from(count));
    }
    metrics::gauge!("gatehouse_jobs_oldest_seconds").set(facts.oldest_seconds);
    Ok(())
}

async fn secrets(state: &MonitoringState) -> store::Result<()> {
    let now = state.clock.now();
    let next = secret_expiry::find_next(&state.health.budgets.upkeep, now).await?;
    let token = next.administrator_token.map(|day| day.and_time(NaiveTime::MIN).and_utc());
    for (secret, end) in [("administrator_token", token), ("deploy_key", next.deploy_key)] {
        // A secret that never ends ends later than any.
        let days = end.map_or(f64::INFINITY, |end| (end - now).as_seconds_f64() / 86_400.0);
        metrics::gauge!("gatehouse_secret_expiry_days", "secret" => secret).set(days);
    }
    Ok(())
}

async fn usage(state: &MonitoringState) -> store::Result<()> {
    let db = &state.health.budgets.upkeep;
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
