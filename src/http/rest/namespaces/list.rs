//! `GET /namespaces`: which namespaces does the caller have?

use axum::extract::State;
use axum::response::Response;

use super::NamespaceShape;
use crate::http::auth::rest::RestCaller;
use crate::http::pages::MOST_COUNTED;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::params::{PageQuery, RestParams};
use crate::store::rest::namespaces::{self, NamespaceFilter};

/// One's own namespace and those of one's groups; administrators see all.
///
/// # Errors
/// 400 for a filter that is none.
#[utoipa::path(
    get,
    path = "/namespaces",
    params(
        ("search" = Option<String>, Query, description = "A part of the name or path"),
        ("owned_only" = Option<bool>, Query, description = "Those alone that the caller owns"),
        ("top_level_only" = Option<bool>, Query, description = "Those alone that are in no other"),
        PageQuery
    ),
    responses((status = 200, body = Vec<NamespaceShape>))
)]
pub async fn list(
    State(state): State<RestState>,
    caller: RestCaller,
    params: RestParams,
) -> Result<Response, RestRefusal> {
    let (mut filter, page) = params.read_list(|reader| {
        let owned = reader.optional("owned_only").value().unwrap_or_default();
        NamespaceFilter {
            user: (!caller.is_admin()).then(|| caller.id()),
            owned: if owned { Some(caller.id()) } else { None },
            top_level: reader.optional("top_level_only").value().unwrap_or_default(),
            search: reader.optional::<String>("search").value().filter(|search| !search.is_empty()),
            closed_roots: Vec::new(),
        }
    })?;
    filter.closed_roots = state.closed_roots(&caller).await?;
    let (pool, today) = (state.db.pool(), state.clock.now().date_naive());
    let rows = namespaces::list(pool, &filter, caller.id(), today, (page.limit(), page.offset())).await?;
    let (rows, more) = page.cut(rows);
    let total = page.total(rows.len(), more, namespaces::count(pool, &filter, today, MOST_COUNTED + 1)).await?;
    let rows: Vec<NamespaceShape> = rows.into_iter().map(|row| NamespaceShape::of(row, &caller, &state.url)).collect();
    Ok(page.answer(&rows, more, total))
}
