//! `/namespaces/:id/storage/limit_exclusion`: a namespace without a limit on its storage (provisioning.md 6).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::ProvisioningState;
use super::namespace::NamespaceName;
use crate::domain::exclusion::StorageExclusion;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::grape::GrapeParameters;
use crate::services::exclude_storage_limit;
use crate::store::provisioned_namespaces::ProvisionedNamespace;

/// An exclusion.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExclusionResponse {
    id: i64,
    namespace_id: i64,
    namespace_name: String,
    reason: String,
}

impl ExclusionResponse {
    /// The exclusion of the namespace with that name.
    #[must_use]
    pub fn of(exclusion: StorageExclusion, namespace_name: String) -> Self {
        Self { id: exclusion.id, namespace_id: exclusion.namespace.0, namespace_name, reason: exclusion.reason }
    }
}

/// Why the namespace is excluded.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says in OpenAPI what is read of the parameters")]
pub struct ExclusionParameters {
    #[schema(min_length = 1, max_length = 255)]
    reason: String,
}

/// Excludes the namespace.
///
/// # Errors
/// 400 for a namespace that is no root or excluded already, and for a reason that is none.
#[utoipa::path(
    post,
    path = "/namespaces/{id}/storage/limit_exclusion",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    request_body(
        content = ExclusionParameters,
        example = json!({ "reason": "a reason to exclude the Namespace" })
    ),
    responses((
        status = 201,
        body = ExclusionResponse,
        example = json!({
            "id": 1, "namespace_id": 1234, "namespace_name": "A Namespace Name", "reason": "a reason to exclude the Namespace"
        })
    ))
)]
pub async fn create(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
    parameters: GrapeParameters,
) -> Result<(StatusCode, Json<ExclusionResponse>), ApiError> {
    let reason = parameters.read(|reader| reader.required::<String>("reason"))?.value();
    let namespace = find_root(&state, &name).await?;
    let (author, now) = (provisioner.author(), state.clock.now());
    let exclusion = exclude_storage_limit::exclude(&state.db, namespace.id, reason.as_deref(), author, now).await?;
    tracing::info!(namespace.id = namespace.id.0, "excluded a namespace from its storage limit");
    Ok((StatusCode::CREATED, Json(ExclusionResponse::of(exclusion, namespace.name))))
}

/// Limits the namespace again.
///
/// # Errors
/// 400 for a namespace that is no root or not excluded.
#[utoipa::path(
    delete,
    path = "/namespaces/{id}/storage/limit_exclusion",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    responses((status = 204, description = "The limit holds again"))
)]
pub async fn delete(
    State(state): State<ProvisioningState>,
    provisioner: Provisioner,
    name: NamespaceName,
) -> Result<StatusCode, ApiError> {
    let namespace = find_root(&state, &name).await?;
    exclude_storage_limit::include(&state.db, namespace.id, provisioner.author(), state.clock.now()).await?;
    tracing::info!(namespace.id = namespace.id.0, "the storage limit of a namespace holds again");
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses where namespaces have no limits.
pub fn only_with_limits(state: &ProvisioningState) -> Result<(), ApiError> {
    if state.check_namespace_plan { Ok(()) } else { Err(ApiError::Forbidden("this API is for GitLab.com only")) }
}

async fn find_root(state: &ProvisioningState, name: &NamespaceName) -> Result<ProvisionedNamespace, ApiError> {
    only_with_limits(state)?;
    let namespace = name.find(&state.db).await?;
    if namespace.is_root() { Ok(namespace) } else { Err(ApiError::BadRequest("must use a root namespace".to_owned())) }
}
