//! `GET /projects/{id}/groups`: which groups is the project in?

use axum::extract::State;
use axum::response::Response;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::entities::group::PublicGroupShape;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::FoundProject;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::groups as rows;
use crate::store::rest::projects::list_groups_around;

/// The groups around a project that the caller sees, and those that it is shared with where the request asks for them.
#[utoipa::path(
    get,
    path = "/projects/{id}/groups",
    params(
        ("id" = String, Path, description = "The project: its id or its full path"),
        ("search" = Option<String>, Query, description = "A part of the name or path"),
        ("skip_groups" = Option<Vec<i64>>, Query, style = Form, explode = false, description = "Groups to leave out"),
        ("with_shared" = Option<bool>, Query, description = "Those too that it is shared with"),
        PageQuery
    ),
    responses((status = 200, body = [PublicGroupShape]))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    project: FoundProject,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let ((search, skip, shared), page) = params.read_list(|reader| {
        let search = reader.optional::<String>("search").value().filter(|text| !text.is_empty());
        let skip: Vec<i64> = reader.array("skip_groups").value().unwrap_or_default();
        (search, skip, reader.optional::<bool>("with_shared").value() == Some(true))
    })?;
    let mut ids = list_groups_around(state.db.pool(), project.id, shared).await?;
    ids.retain(|id| !skip.contains(id));
    if !caller.is_admin() {
        let today = state.clock.now().date_naive();
        let seen = rows::list_seen(&state.db, caller.id(), &caller.open_levels(), &ids, today).await?;
        ids.retain(|id| seen.contains(id));
    }
    let wanted = search.map(|text| text.to_lowercase());
    let matches = |row: &rows::GroupShapeRow| {
        wanted
            .as_ref()
            .is_none_or(|text| row.name.to_lowercase().contains(text) || row.path.to_lowercase().contains(text))
    };
    let rows = rows::list_shapes(state.db.pool(), &ids).await?.into_iter().filter(matches);
    Ok(page.answer_of_all(rows.map(|row| PublicGroupShape::of(row, &state.url)).collect()))
}
