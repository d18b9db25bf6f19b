//! Groups (rest.md 6).

mod archive;
mod fields;
pub mod list;
mod one;
mod projects;
mod refusal;
mod share;
mod subgroups;
mod transfer;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
pub use one::wish;
pub use share::{ShareParameters, read as read_share};

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, list::create))
        .routes(routes!(one::show, one::update, one::delete))
        .routes(routes!(subgroups::children))
        .routes(routes!(subgroups::descendants))
        .routes(routes!(projects::list))
        .routes(routes!(projects::take))
        .routes(routes!(share::create))
        .routes(routes!(share::delete))
        .routes(routes!(transfer::create))
        .routes(routes!(archive::archive))
        .routes(routes!(archive::unarchive))
}
