//! The family `deploy_tokens` of the public REST API (rest.md 12).

mod common;
mod group;
mod instance;
mod project;
mod shape;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(instance::list))
        .routes(routes!(project::list, project::create))
        .routes(routes!(project::show, project::delete))
        .routes(routes!(group::list, group::create))
        .routes(routes!(group::show, group::delete))
}
