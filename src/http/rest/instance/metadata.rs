//! `GET /metadata`: the version, and what belongs to the installation.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::version::REVISION;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;

/// What the installation is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetadataResponse {
    /// The version of GitLab whose API this is.
    version: String,
    /// The commit that this was built of.
    revision: &'static str,
    kas: KasMetadata,
    /// Always true.
    enterprise: bool,
}

/// The agent server; where it is, nobody tells us.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KasMetadata {
    /// Always false, and the rest null: nobody tells us where it is.
    enabled: bool,
    external_url: Option<String>,
    external_k8s_proxy_url: Option<String>,
    version: Option<String>,
}

/// The version of GitLab whose API this is, and the services beside it.
#[utoipa::path(get, path = "/metadata", responses((status = 200, body = MetadataResponse)))]
pub async fn show(State(state): State<RestState>, _caller: RestCaller) -> Json<MetadataResponse> {
    let kas = KasMetadata { enabled: false, external_url: None, external_k8s_proxy_url: None, version: None };
    Json(MetadataResponse { version: state.settings.gitlab.version.clone(), revision: REVISION, kas, enterprise: true })
}
