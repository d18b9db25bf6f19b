//! `GET /namespaces/:id`: a namespace by its id or full path.

use axum::Json;
use axum::extract::State;

use super::NamespaceShape;
use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::PathId;
use crate::store::rest::RestName;
use crate::store::rest::namespaces::{self, NamespaceFilter};

/// The namespace, where it is one's own or one of a group that one belongs to; administrators see all.
///
/// # Errors
/// 404 where there is none such.
#[utoipa::path(
    get,
    path = "/namespaces/{id}",
    params(("id" = String, Path, description = "The namespace: its id or its full path")),
    responses((status = 200, body = NamespaceShape))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    id: PathId,
) -> Result<Json<NamespaceShape>, RestRefusal> {
    const GONE: RestRefusal = RestRefusal::NotFound("Namespace");
    let name = RestName::parse(id.text()).ok_or(GONE)?;
    let filter = NamespaceFilter {
        user: (!caller.is_admin()).then(|| caller.id()),
        closed_roots: state.closed_roots(&caller).await?,
        ..NamespaceFilter::default()
    };
    let today = state.clock.now().date_naive();
    let row = namespaces::find(state.db.pool(), &name, &filter, caller.id(), today).await?.ok_or(GONE)?;
    Ok(Json(NamespaceShape::of(row, &caller, &state.url)))
}
