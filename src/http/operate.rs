//! `/-/liveness`, `/-/readiness`, `/-/metrics`: what an operator's tools ask, on a listener of their own.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use super::error::ApiError;
use crate::store::{self, Db};

/// What the handlers use.
#[derive(Clone)]
pub struct OperateState {
    /// The database that readiness asks.
    pub db: Db,
    /// The metrics of this process.
    pub metrics: PrometheusHandle,
}

/// The operator's routes.
pub fn router(state: OperateState) -> Router {
    Router::new()
        .route("/-/liveness", get(liveness))
        .route("/-/readiness", get(readiness))
        .route("/-/metrics", get(metrics))
        .with_state(state)
        .fallback(async || ApiError::NotFound)
}

async fn liveness() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn readiness(State(state): State<OperateState>) -> (StatusCode, Json<Value>) {
    let answered = tokio::time::timeout(Duration::from_secs(1), store::ping(&state.db)).await;
    let (status, word) = match answered {
        Ok(Ok(())) => (StatusCode::OK, "ok"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "failed"),
    };
    (status, Json(json!({ "status": word, "db_check": [{ "status": word }] })))
}

async fn metrics(State(state): State<OperateState>) -> String {
    let pool = state.db.pool();
    metrics::gauge!("gatehouse_pool_connections", "state" => "open").set(f64::from(pool.size()));
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    metrics::gauge!("gatehouse_pool_connections", "state" => "idle").set(f64::from(idle));
    state.metrics.render()
}
