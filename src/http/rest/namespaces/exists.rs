//! `GET /namespaces/:id/exists`: is the path taken, and what else would do?

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::auth::rest::RestCaller;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::PathId;
use crate::http::rest::params::RestParams;
use crate::store::rest::namespaces::list_taken;

/// Whether there is one, and a path that is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExistsResponse {
    /// Whether the path is taken.
    exists: bool,
    /// A path like it that is free, where it is taken.
    suggests: Vec<String>,
}

/// How many numbers are tried behind a path that is taken.
const TRIED: u32 = 100;

/// Whether the path is taken, at the top or in the group that the request names.
///
/// # Errors
/// 404 for a group that the caller does not see.
#[utoipa::path(
    get,
    path = "/namespaces/{id}/exists",
    params(
        ("id" = String, Path, description = "The last part of the path"),
        ("parent_id" = Option<i64>, Query, description = "The group that it would be in")
    ),
    responses((status = 200, body = ExistsResponse, example = json!({ "exists": true, "suggests": ["acme1"] })))
)]
pub async fn show(
    State(state): State<RestState>,
    caller: RestCaller,
    path: PathId,
    params: RestParams,
) -> Result<Json<ExistsResponse>, RestRefusal> {
    let parent = params.read(|reader| reader.optional::<i64>("parent_id"))?.value();
    let within = match parent {
        Some(id) => format!("{}/", state.find_group(&caller, &id.to_string()).await?.full_path),
        None => String::new(),
    };
    let names: Vec<String> = (0..=TRIED)
        .map(|number| if number == 0 { path.text().to_owned() } else { format!("{}{number}", path.text()) })
        .collect();
    let paths: Vec<String> = names.iter().map(|name| format!("{within}{name}").to_lowercase()).collect();
    let taken = list_taken(state.db.pool(), &paths).await?;
    let exists = taken.contains(&paths[0]);
    let free = names.into_iter().zip(&paths).skip(1).find(|(_, path)| !taken.contains(path)).map(|(name, _)| name);
    Ok(Json(ExistsResponse { exists, suggests: free.filter(|_| exists).into_iter().collect() }))
}
