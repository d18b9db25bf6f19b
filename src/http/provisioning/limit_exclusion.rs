//! `/namespaces/:id/storage/limit_exclusion`: a namespace without a limit on its storage (provisioning.md 6).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::namespace::{NamespaceName, no_such_namespace};
use super::{ProvisioningState, retried};
use crate::domain::exclusion::{Exclusion, Reason};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::Author;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::Parameters;
use crate::store::provisioned_namespaces::{self, Namespace};
use crate::store::storage_exclusions;

/// An exclusion.
#[derive(Debug, Serialize)]
pub struct ExclusionResponse {
    id: i64,
    namespace_id: i64,
    namespace_name: String,
    reason: String,
}

impl ExclusionResponse {
    /// The exclusion of the namespace with that name.
    #[must_use]
    pub fn of(exclusion: Exclusion, namespace_name: String) -> Self {
        Self { id: exclusion.id, namespace_id: exclusion.namespace.0, namespace_name, reason: exclusion.reason }
    }
}

/// Excludes the namespace.
///
/// # Errors
/// 400 for a namespace that is no root or excluded already, and for a reason that is none.
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: Parameters,
) -> Result<(StatusCode, Json<ExclusionResponse>), ApiError> {
    let reason = parameters.read(|reader| reader.required::<String>("reason"))?.value();
    let namespace = find_root(&state, &name).await?;
    let exclusion = retried(|| exclude(&state, namespace.id, reason.clone(), provisioner.author())).await?;
    tracing::info!(namespace.id = namespace.id.0, "excluded a namespace from its storage limit");
    Ok((StatusCode::CREATED, Json(ExclusionResponse::of(exclusion, namespace.name))))
}

async fn exclude(
    state: &ProvisioningState,
    namespace: NamespaceId,
    reason: Option<String>,
    author: &Author,
) -> Result<Exclusion, ApiError> {
    let excluded = || ApiError::BadRequest("already excluded".to_owned());
    let mut transaction = state.db.begin().await?;
    if !provisioned_namespaces::hold(&mut *transaction, namespace).await? {
        return Err(no_such_namespace());
    }
    if storage_exclusions::exists(&mut *transaction, namespace).await? {
        return Err(excluded());
    }
    let wrong = |complaint: &str| ApiError::InvalidRecord(vec![("reason", complaint.to_owned())]);
    let reason = Reason::new(reason).map_err(wrong)?;
    let made = storage_exclusions::create(&mut transaction, namespace, &reason, author, state.clock.now()).await?;
    let exclusion = made.ok_or_else(excluded)?;
    transaction.commit().await?;
    Ok(exclusion)
}

/// Limits the namespace again.
///
/// # Errors
/// 400 for a namespace that is no root or not excluded.
pub async fn delete(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
) -> Result<StatusCode, ApiError> {
    let namespace = find_root(&state, &name).await?;
    retried(|| include(&state, namespace.id, provisioner.author())).await?;
    tracing::info!(namespace.id = namespace.id.0, "the storage limit of a namespace holds again");
    Ok(StatusCode::NO_CONTENT)
}

async fn include(state: &ProvisioningState, namespace: NamespaceId, author: &Author) -> Result<(), ApiError> {
    let mut transaction = state.db.begin().await?;
    if !storage_exclusions::delete(&mut transaction, namespace, author, state.clock.now()).await? {
        return Err(ApiError::BadRequest("not excluded".to_owned()));
    }
    Ok(transaction.commit().await?)
}

/// Refuses where namespaces have no limits.
pub fn only_with_limits(state: &ProvisioningState) -> Result<(), ApiError> {
    if state.check_namespace_plan { Ok(()) } else { Err(ApiError::Forbidden("this API is for GitLab.com only")) }
}

async fn find_root(state: &ProvisioningState, name: &NamespaceName) -> Result<Namespace, ApiError> {
    only_with_limits(state)?;
    let namespace = name.find(&state.db).await?;
    if namespace.is_root() { Ok(namespace) } else { Err(ApiError::BadRequest("must use a root namespace".to_owned())) }
}
