//! `PATCH /namespaces/:id/minutes/move/:target_id`: all packs of a namespace become another's (provisioning.md 4.2).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::ProvisioningState;
use super::namespace::{NamespaceName, TargetName};
use crate::domain::minutes::MoveEnd;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::openapi::FailureResponse;
use crate::services::move_minutes;
use crate::store::provisioned_namespaces::ProvisionedNamespace;

/// Moves the packs before it answers, though the answer is the one of work that is still to be done.
///
/// # Errors
/// 404 where there is no such namespace, 400 where packs cannot move from the one to the other.
#[utoipa::path(
    patch,
    path = "/namespaces/{id}/minutes/move/{target_id}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("target_id" = String, Path, description = "The namespace that gets them: its id or its full path")
    ),
    responses((status = 202, body = FailureResponse, example = json!({ "message": "202 Accepted" })))
)]
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    source: NamespaceName,
    target: TargetName,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let source = source.find(&state.db).await?;
    let target = target.find(&state.db).await?;
    let end = |namespace: &ProvisionedNamespace| MoveEnd { id: namespace.id, is_root: namespace.is_root() };
    let (author, now) = (provisioner.author(), state.clock.now());
    let moved = move_minutes::move_all(&state.db, end(&source), end(&target), author, now).await?;
    tracing::info!(namespace.id = source.id.0, target.id = target.id.0, packs = moved, "moved packs of minutes");
    Ok((StatusCode::ACCEPTED, Json(json!({ "message": "202 Accepted" }))))
}
