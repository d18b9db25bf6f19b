//! The family `push_rules` of the public REST API.

use utoipa_axum::router::OpenApiRouter;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
}
