//! `GET /users/:id`: who is this?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::shapes_of;
use crate::http::rest::entities::user::{AdminUserShape, UserShape};
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::store::rest::{user_places, users};

/// A user as the one who asks may see them.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum UserResponse {
    /// For administrators.
    Detail(Box<DetailShape>),
    /// For others.
    User(Box<UserShape>),
}

shapes_of! {
    /// All of the user for administrators, and for others what users may know of each other.
    UserResponse: DetailShape, UserShape
}

/// What administrators see of one user.
#[derive(Debug, Serialize, ToSchema)]
pub struct DetailShape {
    #[serde(flatten)]
    admin: AdminUserShape,
    /// The plan of the personal namespace.
    plan: Option<String>,
    /// Whether that is a trial.
    trial: Option<bool>,
    sign_in_count: i32,
    /// Always null, as the next one.
    current_sign_in_ip: Option<String>,
    last_sign_in_ip: Option<String>,
    /// The highest level of all memberships.
    highest_role: i32,
}

/// The user; a private profile tells little to others.
///
/// # Errors
/// 404 where there is none.
#[utoipa::path(
    get,
    path = "/users/{id}",
    params(("id" = i64, Path, description = "The user's id")),
    responses((status = 200, body = UserResponse))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    user: FoundUser,
) -> Result<Json<UserResponse>, RestRefusal> {
    const GONE: RestRefusal = RestRefusal::NotFound("User");
    let id = [user.id];
    if !caller.is_admin() {
        let told = caller.id().0 == user.id;
        let shape = state.user_shapes(&id, told).await?.pop().ok_or(GONE)?;
        return Ok(Json(UserResponse::User(Box::new(shape))));
    }
    let admin = state.admin_shapes(&id).await?.pop().ok_or(GONE)?;
    let profile = users::list_profiles(state.db.pool(), &id).await?.pop().ok_or(GONE)?;
    let (plan, trial, highest_role) = user_places::find_standing(state.db.pool(), UserId(user.id)).await?;
    Ok(Json(UserResponse::Detail(Box::new(DetailShape {
        admin,
        plan,
        trial,
        sign_in_count: profile.sign_in_count,
        current_sign_in_ip: None,
        last_sign_in_ip: None,
        highest_role,
    }))))
}
