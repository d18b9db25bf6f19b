//! The family `deploy_keys` of the public REST API: deploy keys of projects and of the installation (rest.md 10).

mod instance;
mod project;
mod shape;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(instance::list, instance::create))
        .routes(routes!(project::list, project::create))
        .routes(routes!(project::show, project::update, project::delete))
        .routes(routes!(project::enable))
}
