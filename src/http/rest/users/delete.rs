//! `DELETE /users/:id`: an account ends.

use axum::extract::State;
use axum::http::StatusCode;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::delete_group_or_project::MOST_AT_ONCE;
use crate::services::delete_user::{self, UserDeletionRefusal};

impl From<UserDeletionRefusal> for RestRefusal {
    fn from(refusal: UserDeletionRefusal) -> Self {
        match refusal {
            UserDeletionRefusal::NoSuchUser => Self::NotFound("User"),
            UserDeletionRefusal::Oneself | UserDeletionRefusal::Internal => Self::Forbidden,
            UserDeletionRefusal::SoleOwner => {
                Self::Conflict("User cannot be removed while is the sole-owner of a group".to_owned())
            }
            UserDeletionRefusal::PaidGroup(path) => Self::Conflict(format!(
                "User cannot be removed while is the sole-owner of group {path}, which is linked to a subscription"
            )),
            UserDeletionRefusal::TooLarge(projects) => Self::Conflict(format!(
                "User cannot be removed while is the sole-owner of groups with {projects} projects, of which at most \
                 {MOST_AT_ONCE} are deleted at once"
            )),
            UserDeletionRefusal::NotPending => Self::Conflict("User does not have a pending request".to_owned()),
        }
    }
}

/// Removes an account, its personal namespace and the projects in it; with `hard_delete` also the groups that nobody else
/// owns.
///
/// # Errors
/// 403 for the caller's own account, 409 for that of a group's only owner.
#[utoipa::path(
    delete,
    path = "/users/{id}",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("hard_delete" = Option<bool>, Query, description = "Whether groups go too that nobody else owns"),
        UnmodifiedSince
    ),
    responses(
        (status = 204, description = "The account is gone"),
        (status = 409, description = "The user is the only owner of a group", body = inline(crate::http::openapi::FailureResponse)),
        UnmodifiedSince
    )
)]
pub async fn delete(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
    unmodified: UnmodifiedSince,
    params: RestParams,
) -> Result<StatusCode, RestRefusal> {
    unmodified.check(user.updated_at)?;
    let with_groups = params.read(|reader| reader.optional("hard_delete"))?.value().unwrap_or_default();
    let author = admin.caller().author();
    delete_user::delete(&state.db, UserId(user.id), with_groups, &author, state.clock.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
