//! The family `access_tokens` of the public REST API: tokens of projects and groups (rest.md 12).

mod common;
mod group;
mod project;
mod shape;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(project::list, project::create))
        .routes(routes!(project::show, project::delete))
        .routes(routes!(project::rotate))
        .routes(routes!(group::list, group::create))
        .routes(routes!(group::show, group::delete))
        .routes(routes!(group::rotate))
}
