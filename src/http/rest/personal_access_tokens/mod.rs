//! Personal access tokens and impersonation tokens (rest.md 5).

mod own;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(own::show, own::revoke))
}
