//! `POST /users/:id/block` and the like: the state of an account.
//!
//! The answer is bare JSON, `true`, `false` or `null`, which clients hand on as it is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Created;
use crate::domain::account_change::{AccountChange, AccountRefusal};
use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::services::change_account::{self, AccountChangeRefusal};
use crate::services::delete_user;

type StateAnswer = Result<Created<Json<Option<bool>>>, RestRefusal>;

impl From<AccountChangeRefusal> for RestRefusal {
    fn from(refusal: AccountChangeRefusal) -> Self {
        match refusal {
            AccountChangeRefusal::NoSuchUser => Self::NotFound("User"),
            AccountChangeRefusal::State(AccountRefusal::Because(reason)) => Self::ForbiddenBecause(reason.to_owned()),
            AccountChangeRefusal::State(AccountRefusal::Sentence(said)) => Self::ForbiddenSentence(said.to_owned()),
            AccountChangeRefusal::State(AccountRefusal::Conflict(said)) => Self::Conflict(said.to_owned()),
            AccountChangeRefusal::NoTwoFactor => {
                Self::BadRequest("Two-factor authentication is not enabled for this user".to_owned())
            }
            AccountChangeRefusal::Administrator => {
                Self::ForbiddenBecause("Two-factor authentication for admins cannot be disabled via the API".to_owned())
            }
        }
    }
}

async fn change(state: &RestState, admin: &RestAdmin, user: &FoundUser, change: AccountChange) -> StateAnswer {
    let author = admin.caller().author();
    let done = change_account::change(&state.db, UserId(user.id), change, &author, state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(done)))
}

macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident: $path:literal, $change:ident;)+) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// 403 where the account is in a state from which there is no such way.
        #[utoipa::path(
            post,
            path = $path,
            params(("id" = i64, Path, description = "The user's id")),
            responses((status = 201, body = Option<bool>, example = json!(true)))
        )]
        pub async fn $name(State(state): State<RestState>, admin: RestAdmin, user: FoundUser) -> StateAnswer {
            change(&state, &admin, &user, AccountChange::$change).await
        }
    )+};
}

changes! {
    /// Blocks an account; `null` where it is blocked already.
    block: "/users/{id}/block", Block;
    /// Unblocks an account; `false` where it is not blocked.
    unblock: "/users/{id}/unblock", Unblock;
    /// Puts an account to rest with which nothing was done for 90 days.
    deactivate: "/users/{id}/deactivate", Deactivate;
    /// Wakes an account.
    activate: "/users/{id}/activate", Activate;
    /// Bans an account.
    ban: "/users/{id}/ban", Ban;
    /// Takes that back.
    unban: "/users/{id}/unban", Unban;
}

/// What is said of a decision about somebody who waits for it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionResponse {
    message: &'static str,
}

/// Lets in somebody who waits for approval.
///
/// # Errors
/// 409 where they do not wait for it.
#[utoipa::path(
    post,
    path = "/users/{id}/approve",
    params(("id" = i64, Path, description = "The user's id")),
    responses(
        (status = 201, body = DecisionResponse, example = json!({ "message": "Success" })),
        (status = 409, description = "The user does not wait for it", body = inline(crate::http::openapi::FailureResponse))
    )
)]
pub async fn approve(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
) -> Result<Created<Json<DecisionResponse>>, RestRefusal> {
    let _so = change(&state, &admin, &user, AccountChange::Approve).await?;
    Ok((StatusCode::CREATED, Json(DecisionResponse { message: "Success" })))
}

/// Removes the account of somebody who waits for approval.
///
/// # Errors
/// 409 where they do not wait for it.
#[utoipa::path(
    post,
    path = "/users/{id}/reject",
    params(("id" = i64, Path, description = "The user's id")),
    responses(
        (status = 201, body = DecisionResponse, example = json!({ "message": "Success" })),
        (status = 409, description = "The user does not wait for it", body = inline(crate::http::openapi::FailureResponse))
    )
)]
pub async fn reject(
    State(state): State<RestState>,
    admin: RestAdmin,
    user: FoundUser,
) -> Result<Created<Json<DecisionResponse>>, RestRefusal> {
    delete_user::reject(&state.db, UserId(user.id), &admin.caller().author(), state.clock.now()).await?;
    Ok((StatusCode::CREATED, Json(DecisionResponse { message: "Success" })))
}
