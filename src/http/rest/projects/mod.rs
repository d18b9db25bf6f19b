//! Projects (rest.md 8).

mod archive;
mod fields;
mod groups;
pub mod list;
mod of_user;
mod one;
mod refusal;
mod share;
mod storage;
mod transfer;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::fault::RestRefusal;
use crate::domain::project_creation::ProjectCreator;
use crate::http::auth::rest::RestCaller;
use crate::services::create_project::ProjectMaker;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(list::list, list::create))
        .routes(routes!(of_user::create))
        .routes(routes!(of_user::list))
        .routes(routes!(one::show, one::update, one::delete))
        .routes(routes!(archive::archive))
        .routes(routes!(archive::unarchive))
        .routes(routes!(share::create))
        .routes(routes!(share::delete))
        .routes(routes!(transfer::update))
        .routes(routes!(groups::list))
        .routes(routes!(storage::show))
}

impl RestState {
    /// What projects are made with.
    fn project_maker(&self) -> ProjectMaker {
        ProjectMaker {
            db: self.db.clone(),
            gitaly: self.gitaly.clone(),
            storages: self.settings.repositories.storages.keys().cloned().collect(),
        }
    }

    /// The caller as somebody who makes projects.
    #[must_use]
    pub fn creator(&self, caller: &RestCaller) -> ProjectCreator {
        ProjectCreator { id: caller.id(), admin: caller.is_admin(), external: caller.is_external() }
    }
}

/// Refuses settings that promise what is not kept here, unless they ask for nothing.
fn refuse_unsupported(params: &super::params::RestParams) -> Result<(), RestRefusal> {
    let refused = [
        "avatar",
        "import_url",
        "initialize_with_readme",
        "mirror",
        "template_name",
        "template_project_id",
        "use_custom_template",
    ];
    params.refuse_unsupported(&refused)
}
