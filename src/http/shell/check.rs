//! `GET /check`: which server is this, and can it keep state?

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ShellState;
use crate::http::auth::shell::ShellCaller;
use crate::store::heartbeats;

/// The answer (shell.md 2.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckResponse {
    api_version: &'static str,
    gitlab_version: &'static str,
    gitlab_rev: &'static str,
    redis: bool,
}

/// Always 200; `redis` says whether the state that GitLab keeps in Redis can be written and read back within a second.
#[utoipa::path(
    get,
    path = "/check",
    responses((
        status = 200,
        body = CheckResponse,
        example = json!({ "api_version": "v4", "gitlab_version": "0.2.0-gatehouse", "gitlab_rev": "1a2b3c4", "redis": true })
    ))
)]
pub async fn check(State(shell): State<ShellState>, _caller: ShellCaller) -> Json<CheckResponse> {
    let beat = heartbeats::beat(shell.db.pool(), "check", shell.clock.now());
    let redis = matches!(tokio::time::timeout(Duration::from_secs(1), beat).await, Ok(Ok(true)));
    Json(CheckResponse {
        api_version: "v4",
        gitlab_version: concat!(env!("CARGO_PKG_VERSION"), "-gatehouse"),
        gitlab_rev: env!("GATEHOUSE_REVISION"),
        redis,
    })
}
