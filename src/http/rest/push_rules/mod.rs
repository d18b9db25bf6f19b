//! The family `push_rules` of the public REST API: what commits and pushes must be like, in a project or a group
//! (rest.md 12).

mod group;
mod project;
mod shape;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(project::show, project::create, project::update, project::delete))
        .routes(routes!(group::show, group::create, group::update, group::delete))
}
