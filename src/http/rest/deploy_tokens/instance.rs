//! `GET /deploy_tokens`: the deploy tokens of all projects and groups.

use axum::extract::State;
use axum::response::Response;

use super::shape::DeployTokenShape;
use crate::http::auth::rest::RestAdmin;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::deploy_tokens;
use crate::store::protections::RowRange;

/// The deploy tokens of the installation.
#[utoipa::path(
    get,
    path = "/deploy_tokens",
    params(
        ("active" = Option<bool>, Query, description = "Those alone that are good, or those that are not"),
        PageQuery
    ),
    responses((status = 200, body = Vec<DeployTokenShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    _admin: RestAdmin,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (active, page) = params.read_list(|reader| reader.optional::<bool>("active").value())?;
    let (range, now) = (RowRange { limit: page.limit(), offset: page.offset() }, state.clock.now());
    let (rows, more) = page.cut(deploy_tokens::list_all(state.db.pool(), active, now, range).await?);
    let total = deploy_tokens::count_all(state.db.pool(), active, now).await?;
    let shapes: Vec<DeployTokenShape> =
        rows.into_iter().map(|(id, row)| DeployTokenShape::of(id, row, None, now)).collect();
    Ok(page.answer(&shapes, more, total))
}
