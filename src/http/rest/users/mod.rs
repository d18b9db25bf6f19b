//! Users, and oneself (rest.md 2, 3).

mod associations_count;
mod create;
mod delete;
mod identities;
mod list;
mod memberships;
mod one;
mod own;
mod state;
mod two_factor;
mod update;
mod wish;

use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::RestState;
use super::fault::RestRefusal;
use crate::services::write_user::UserWriteRefusal;

/// The family's routes.
pub fn routes() -> OpenApiRouter<RestState> {
    OpenApiRouter::new()
        .routes(routes!(own::show))
        .routes(routes!(list::list, create::create))
        .routes(routes!(one::show, update::update, delete::delete))
        .routes(routes!(state::block))
        .routes(routes!(state::unblock))
        .routes(routes!(state::deactivate))
        .routes(routes!(state::activate))
        .routes(routes!(state::ban))
        .routes(routes!(state::unban))
        .routes(routes!(state::approve))
        .routes(routes!(state::reject))
        .routes(routes!(two_factor::disable))
        .routes(routes!(identities::delete))
        .routes(routes!(memberships::list))
        .routes(routes!(associations_count::show))
}

impl From<UserWriteRefusal> for RestRefusal {
    fn from(refusal: UserWriteRefusal) -> Self {
        match refusal {
            UserWriteRefusal::NoSuchUser => Self::NotFound("User"),
            UserWriteRefusal::AddressTaken => Self::Conflict("Email has already been taken".to_owned()),
            UserWriteRefusal::UsernameTaken => Self::Conflict("Username has already been taken".to_owned()),
            UserWriteRefusal::Faults(faults) => faults.into(),
        }
    }
}

/// The answer to what was made.
type Created<T> = (StatusCode, T);
