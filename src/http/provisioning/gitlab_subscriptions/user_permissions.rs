//! `GET /namespaces/:id/user_permissions/:user_id`: may this user see to the namespace's bills? (provisioning.md 7)

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::users::UserNumber;
use crate::http::auth::provisioning::Provisioner;
use crate::http::error::ApiError;
use crate::http::provisioning::ProvisioningState;
use crate::http::provisioning::namespace::NamespaceName;
use crate::store::provisioned_namespaces::{self, NamespaceStanding};

/// What a user may do.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserPermissionsResponse {
    edit_billing: bool,
}

/// Whether the user owns the namespace, or is an administrator, and is not kept from acting.
///
/// # Errors
/// 404 where there is no such namespace or user.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/user_permissions/{user_id}",
    params(
        ("id" = String, Path, description = "The namespace: its id or its full path"),
        ("user_id" = String, Path, description = "The user's id")
    ),
    responses((status = 200, body = UserPermissionsResponse))
)]
pub async fn show(
    State(state): State<ProvisioningState>,
    _caller: Provisioner,
    name: NamespaceName,
    number: UserNumber,
) -> Result<Json<UserPermissionsResponse>, ApiError> {
    let namespace = name.find(&state.db).await?;
    let (id, user) = number.find(&state.db).await?;
    let today = state.clock.now().date_naive();
    let standing = provisioned_namespaces::find_standing(state.db.pool(), namespace.id, id, today).await?;
    let owns = user.admin || standing == NamespaceStanding::Owner;
    Ok(Json(UserPermissionsResponse { edit_billing: owns && user.state == "active" }))
}
