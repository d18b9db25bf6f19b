//! `DELETE /Groups/{id}`: unties a group of the provider from the groups here, whose members keep what they have.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::hold;
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::error::ScimError;
use crate::http::scim::race::{Lost, retry};
use crate::http::scim::{ScimState, no_content};
use crate::store::scim_groups;

/// Nothing to see any more.
///
/// # Errors
/// 404 where no link has the id.
pub async fn delete(
    State(scim): State<ScimState>,
    _caller: ScimCaller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ScimError> {
    retry(|| once(&scim, &id, &headers)).await?;
    Ok(no_content())
}

async fn once(scim: &ScimState, id: &str, headers: &HeaderMap) -> Result<(), Lost> {
    let mut transaction = scim.db.begin().await?;
    let uid = hold(&mut transaction, id, headers).await?;
    scim_groups::unlink(&mut transaction, uid).await?;
    transaction.commit().await?;
    Ok(())
}
