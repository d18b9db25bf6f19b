//! Users, and oneself (rest.md 2, 3).

mod own;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(own::show))
}
