//! Members of groups and projects (rest.md 7).

mod of_group;
mod of_project;
mod place;
mod refusal;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(of_group::list, of_group::add))
        .routes(routes!(of_group::list_all))
        .routes(routes!(of_group::show, of_group::change, of_group::remove))
        .routes(routes!(of_group::show_of_all))
        .routes(routes!(of_project::list, of_project::add))
        .routes(routes!(of_project::list_all))
        .routes(routes!(of_project::show, of_project::change, of_project::remove))
        .routes(routes!(of_project::show_of_all))
}
