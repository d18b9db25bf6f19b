//! `GET /users/:id/memberships`: where is this user a member?

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::ids::UserId;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundUser;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::user_places;

/// A membership.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipResponse {
    /// The group or project.
    source_id: i64,
    source_name: String,
    /// `Namespace` or `Project`
    #[schema(example = "Namespace")]
    source_type: String,
    /// 5, 10, 15, 20, 30, 40 or 50
    access_level: i32,
}

/// The user's direct memberships, of groups and of projects.
///
/// # Errors
/// 400 for a type that is none.
#[utoipa::path(
    get,
    path = "/users/{id}/memberships",
    params(
        ("id" = i64, Path, description = "The user's id"),
        ("type" = Option<String>, Query, description = "`Project` or `Namespace` alone"),
        PageQuery
    ),
    responses((status = 200, body = Vec<MembershipResponse>))
)]
pub async fn list(
    State(state): State<RestState>,
    _admin: RestAdmin,
    user: FoundUser,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (kind, page) = params.read_list(|reader| reader.word("type", &["Project", "Namespace"]))?;
    let pool = state.db.pool();
    let (rows, total) = user_places::list(pool, UserId(user.id), kind.value(), page.limit(), page.offset()).await?;
    let (rows, more) = page.cut(rows);
    let rows: Vec<MembershipResponse> = rows
        .into_iter()
        .map(|row| MembershipResponse {
            source_id: row.id,
            source_name: row.name,
            source_type: row.kind,
            access_level: row.level,
        })
        .collect();
    Ok(page.answer(&rows, more, total))
}
