//! What is done to deploy tokens, of projects and of groups alike.

use axum::Json;
use axum::http::StatusCode;
use axum::response::Response;

use super::shape::{self, DeployTokenShape};
use crate::domain::deploy_token;
use crate::http::rest::RestState;
use crate::http::rest::fault::RestRefusal;
use crate::http::rest::found::RowName;
use crate::http::rest::params::RestParams;
use crate::http::rest::precondition::UnmodifiedSince;
use crate::services::audited_change::AuditedChange;
use crate::services::issue_deploy_token;
use crate::store::deploy_tokens::{self, DeployTokenOwner, DeployTokenRow};

/// Characters of a name at most.
const LONGEST: usize = 255;

/// The page of an owner's tokens that is asked for.
pub async fn list(state: &RestState, owner: DeployTokenOwner, params: &RestParams) -> Result<Response, RestRefusal> {
    let (active, page) = params.read_list(|reader| reader.optional::<bool>("active").value())?;
    let now = state.clock.now();
    let is_active = |row: &DeployTokenRow| !row.revoked && !deploy_token::is_expired(row.expires_at, now);
    let rows = deploy_tokens::list(state.db.pool(), &[owner]).await?.into_iter();
    let rows = rows.filter(|(_, _, row)| active.is_none_or(|active| active == is_active(row)));
    Ok(page.answer_of_all(rows.map(|(_, id, row)| DeployTokenShape::of(id, row, None, now)).collect()))
}

/// A token of the owner.
pub async fn show(
    state: &RestState,
    owner: DeployTokenOwner,
    name: &RowName,
) -> Result<Json<DeployTokenShape>, RestRefusal> {
    let wanted = name.id().ok_or(RestRefusal::NoSuchRow)?;
    let rows = deploy_tokens::list(state.db.pool(), &[owner]).await?;
    let found = rows.into_iter().find(|(_, id, _)| *id == wanted);
    let (_, id, row) = found.ok_or(RestRefusal::NoSuchRow)?;
    Ok(Json(DeployTokenShape::of(id, row, None, state.clock.now())))
}

/// Makes the token that is stated.
pub async fn create(
    state: &RestState,
    change: &AuditedChange<'_>,
    owner: DeployTokenOwner,
    params: &RestParams,
) -> Result<(StatusCode, Json<DeployTokenShape>), RestRefusal> {
    let stated = params.read(shape::declare)?;
    if stated.name.trim().is_empty() {
        return Err(RestRefusal::record("name", "can't be blank"));
    }
    if stated.name.chars().count() > LONGEST {
        return Err(RestRefusal::record("name", "is too long (maximum is 255 characters)"));
    }
    if stated.scopes.is_empty() {
        return Err(RestRefusal::record("scopes", "can't be blank"));
    }
    if stated.username.as_deref().is_some_and(|name| !deploy_token::is_username(name)) {
        let complaint = "can contain only letters, digits, '_', '-', '+', and '.'";
        return Err(RestRefusal::record("username", complaint));
    }
    let issued = issue_deploy_token::issue(change, &state.secrets.db_key_base, owner, &stated).await?;
    let shape = DeployTokenShape::of(issued.id, issued.row, Some(&issued.text), change.now);
    Ok((StatusCode::CREATED, Json(shape)))
}

/// Removes a token of the owner.
pub async fn delete(
    change: &AuditedChange<'_>,
    owner: DeployTokenOwner,
    name: &RowName,
    unmodified: UnmodifiedSince,
) -> Result<StatusCode, RestRefusal> {
    let id = name.id().ok_or(RestRefusal::NoSuchRow)?;
    // Nothing of a deploy token is ever changed.
    unmodified.check(deploy_tokens::find_created_at(change.db.pool(), owner, id).await?)?;
    if issue_deploy_token::remove(change, owner, id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(RestRefusal::NoSuchRow)
    }
}
