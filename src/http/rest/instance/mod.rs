//! What the installation is, and who calls it (rest.md 2, 13.4).

mod version;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new().routes(routes!(version::show))
}
