//! What the installation is (rest.md 2, 13.4).

mod empty;
mod license;
mod metadata;
mod version;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(version::show))
        .routes(routes!(metadata::show))
        .routes(routes!(license::show))
        .routes(routes!(empty::topics))
        .routes(routes!(empty::variables))
}
