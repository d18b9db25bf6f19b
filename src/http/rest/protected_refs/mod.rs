//! The family `protected_refs` of the public REST API: protected branches of projects and groups, and protected tags
//! (rest.md 9).

mod branches;
mod group_branches;
mod levels;
mod tags;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(branches::list, branches::create))
        .routes(routes!(branches::show, branches::update, branches::delete))
        .routes(routes!(group_branches::list, group_branches::create))
        .routes(routes!(group_branches::show, group_branches::update, group_branches::delete))
        .routes(routes!(tags::list, tags::create))
        .routes(routes!(tags::show, tags::delete))
}
