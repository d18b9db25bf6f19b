//! The family `hooks` of the public REST API: web hooks of projects, groups and the installation (rest.md 11).

mod common;
mod group_hooks;
mod project_hooks;
mod shape;
mod system_hooks;
pub mod test_limiter;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(project_hooks::list, project_hooks::create))
        .routes(routes!(project_hooks::show, project_hooks::update, project_hooks::delete))
        .routes(routes!(project_hooks::test))
        .routes(routes!(group_hooks::list, group_hooks::create))
        .routes(routes!(group_hooks::show, group_hooks::update, group_hooks::delete))
        .routes(routes!(group_hooks::test))
        .routes(routes!(system_hooks::list, system_hooks::create))
        .routes(routes!(system_hooks::show, system_hooks::update, system_hooks::delete))
        .routes(routes!(system_hooks::test))
}
