//! `PATCH /namespaces/:id/minutes/move/:target_id`: all packs of a namespace become another's (provisioning.md 4.2).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::namespace::{NamespaceName, TargetName, no_such_namespace, no_such_target};
use super::{ProvisioningState, retried};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::Author;
use crate::domain::minutes::{End, why_not_moved};
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::store::provisioned_namespaces::Namespace;
use crate::store::{minutes_packs, provisioned_namespaces};

/// Moves the packs before it answers, though the answer is the one of work that is still to be done.
///
/// # Errors
/// 404 where there is no such namespace, 400 where packs cannot move from the one to the other.
pub async fn update(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    source: NamespaceName,
    target: TargetName,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let source = source.find(&state.db).await?;
    let target = target.find(&state.db).await?;
    let end = |namespace: &Namespace| End { id: namespace.id, is_root: namespace.is_root() };
    if let Some(reason) = why_not_moved(end(&source), end(&target)) {
        return Err(ApiError::BadRequest(reason.to_owned()));
    }
    let moved = retried(|| move_all(&state, source.id, target.id, provisioner.author())).await?;
    tracing::info!(namespace.id = source.id.0, target.id = target.id.0, packs = moved, "moved packs of minutes");
    Ok((StatusCode::ACCEPTED, Json(json!({ "message": "202 Accepted" }))))
}

async fn move_all(
    state: &ProvisioningState,
    source: NamespaceId,
    target: NamespaceId,
    author: &Author,
) -> Result<usize, ApiError> {
    let mut transaction = state.db.begin().await?;
    // In the order of their ids, so that two opposite moves follow each other.
    let there = provisioned_namespaces::lock_all(&mut *transaction, [source, target]).await?;
    if !there.contains(&source) {
        return Err(no_such_namespace());
    }
    if !there.contains(&target) {
        return Err(no_such_target());
    }
    let moved = minutes_packs::move_all(&mut transaction, source, target, author, state.clock.now()).await?;
    transaction.commit().await?;
    Ok(moved)
}
