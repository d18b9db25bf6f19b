//! `GET /authorized_certs`: does a group vouch for whoever shows a certificate of its authority?

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ShellState;
use crate::domain::certificate::{self, CertificateRefusal};
use crate::http::auth::shell::{ShellCaller, lenient_base64};
use crate::http::error::ApiError;
use crate::http::extract::RequestParams;
use crate::http::openapi::FailureResponse;
use crate::http::wire::WireText;
use crate::store::group_ssh_certificates;

/// The fingerprint of the authority, base64 of SHA-256, and the key id of the certificate: a username or an address.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuthorizedCertsRequest {
    key: Option<WireText>,
    user_identifier: Option<WireText>,
}

/// Who it is, and the group to which access is limited (shell.md 2.3).
#[derive(Debug, Serialize, ToSchema)]
pub struct AuthorizedCertsResponse {
    success: bool,
    namespace: String,
    username: String,
}

/// The user and the first group that vouches for them.
///
/// # Errors
/// 404 or 403 with the reason; these are real failures, unlike those of the POSTs.
#[utoipa::path(
    get,
    path = "/authorized_certs",
    params(AuthorizedCertsRequest),
    responses(
        (
            status = 200,
            body = AuthorizedCertsResponse,
            example = json!({ "success": true, "namespace": "gnuwget", "username": "rubi" })
        ),
        (status = 403, description = "The user is none of the group's own", body = FailureResponse)
    )
)]
pub async fn show(
    State(shell): State<ShellState>,
    _caller: ShellCaller,
    RequestParams(request): RequestParams<AuthorizedCertsRequest>,
) -> Result<Json<AuthorizedCertsResponse>, ApiError> {
    let key = request.key.ok_or(ApiError::Missing("key"))?;
    let user = request.user_identifier.ok_or(ApiError::Missing("user_identifier"))?;
    let fingerprint = lenient_base64(key.0.trim_start_matches("SHA256:").as_bytes()).unwrap_or_default();
    let trusts =
        group_ssh_certificates::list_trust(shell.db.pool(), &fingerprint, &user.0, shell.clock.now().date_naive())
            .await?;
    let (namespace, username) = certificate::decide(&trusts).map_err(refuse)?;
    Ok(Json(AuthorizedCertsResponse { success: true, namespace: namespace.to_owned(), username: username.to_owned() }))
}

fn refuse(refusal: CertificateRefusal) -> ApiError {
    let status = match refusal {
        CertificateRefusal::Certificate | CertificateRefusal::User => StatusCode::NOT_FOUND,
        CertificateRefusal::NotEnterprise => StatusCode::FORBIDDEN,
    };
    ApiError::Refused(status, refusal.to_string())
}
