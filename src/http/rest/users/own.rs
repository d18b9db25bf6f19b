//! `GET /user`: who am I?

use axum::Json;
use axum::extract::State;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::user::OwnUser;
use crate::http::rest::fault::RestRefusal;

/// The caller, to an administrator with all that administrators see.
///
/// # Errors
/// 401 where the account is gone meanwhile.
#[utoipa::path(get, path = "/user", responses((status = 200, body = OwnUser)))]
pub async fn show(State(state): State<RestState>, caller: RestCaller) -> Result<Json<OwnUser>, RestRefusal> {
    let id = [caller.id().0];
    let own = if caller.is_admin() {
        state.admin_shapes(&id).await?.pop().map(|shape| OwnUser::Admin(Box::new(shape)))
    } else {
        state.self_shapes(&id).await?.pop().map(|shape| OwnUser::Own(Box::new(shape)))
    };
    own.map(Json).ok_or(RestRefusal::Unauthorized)
}
