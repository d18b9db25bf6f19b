//! `GET /version`: which GitLab does this API speak for?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;

/// A version of three numbers, which clients take apart, and the commit of this program.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionResponse {
    /// The version of GitLab whose API this is.
    version: String,
    /// The commit that this was built of.
    revision: &'static str,
}

/// The commit that the binary was built from.
pub const REVISION: &str = env!("GATEHOUSE_REVISION");

/// The version of GitLab whose API this is.
#[utoipa::path(
    get,
    path = "/version",
    responses((status = 200, body = VersionResponse, example = json!({ "version": "17.11.0", "revision": "0123456789a" })))
)]
pub async fn show(State(state): State<RestState>, _caller: RestCaller) -> Json<VersionResponse> {
    Json(VersionResponse { version: state.settings.gitlab.version.clone(), revision: REVISION })
}
