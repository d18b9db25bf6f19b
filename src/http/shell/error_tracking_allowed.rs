//! `POST /error_tracking/allowed`: are errors of this project taken from a client with this key?

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ShellState;
use crate::domain::ids::ProjectId;
use crate::http::auth::error_tracking::ErrorTrackingCaller;
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::openapi::FailureResponse;
use crate::http::wire::WireText;
use crate::store::error_tracking;

/// The project and the client's key.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ErrorTrackingRequest {
    project_id: Option<WireText>,
    public_key: Option<WireText>,
}

/// Whether they are (shell.md 2.11).
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorTrackingResponse {
    enabled: bool,
}

/// Whether they are: the instance, the project and the key must all say so.
///
/// # Errors
/// 422 where a parameter is blank, 404 where there is no such project.
#[utoipa::path(
    post,
    path = "/error_tracking/allowed",
    operation_id = "check_error_tracking",
    request_body(content = ErrorTrackingRequest, example = json!({ "project_id": "3", "public_key": "glet-example" })),
    responses(
        (status = 200, body = ErrorTrackingResponse, example = json!({ "enabled": true })),
        (status = 422, description = "A parameter is blank", body = FailureResponse)
    )
)]
pub async fn check(
    State(shell): State<ShellState>,
    _caller: ErrorTrackingCaller,
    RequestParams(request): RequestParams<ErrorTrackingRequest>,
) -> Result<Json<ErrorTrackingResponse>, ApiError> {
    let given =
        |text: Option<WireText>| text.filter(|text| !text.0.trim_ascii().is_empty()).ok_or(ApiError::Unprocessable);
    let (key, project) = (given(request.public_key)?, given(request.project_id)?);
    let project = ProjectId(project.id().ok_or(ApiError::NoSuchRecord)?);
    let enabled = error_tracking::find_enabled(shell.db.pool(), project, &key.0).await?;
    enabled.map(|enabled| Json(ErrorTrackingResponse { enabled })).ok_or(ApiError::NoSuchRecord)
}
