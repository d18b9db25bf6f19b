//! `/Groups` of the installation: groups of its identity provider, each tied to all groups here whose SAML group link has
//! its name (scim.md 5.3). Who is in one is answered at once; memberships here follow by a job.

pub mod create;
pub mod delete;
pub mod list;
mod members;
pub mod one;
pub mod patch;
pub mod replace;
mod resource;

use axum::http::HeaderMap;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::ScimError;
use super::race::{Lost, retry};
use super::{ScimState, body, version};
use crate::domain::scim::group::ScimMemberChange;
use crate::store::scim_groups;

/// A UUID as it is usually written; GitLab knows no other form.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The id in a URL.
fn uid(id: &str) -> Result<Uuid, ScimError> {
    uuid(id).ok_or_else(|| ScimError::NoSuchGroup(id.to_owned()))
}

/// Refuses a body that lacks one of these, in the words of GitLab's API.
fn require(fields: &Map<String, Value>, names: &[&str]) -> Result<(), ScimError> {
    let missing = names.iter().filter(|name| body::member(fields, name).is_none());
    let missing: Vec<String> = missing.map(|name| format!("{name} is missing")).collect();
    if missing.is_empty() { Ok(()) } else { Err(ScimError::InvalidValue(missing.join(", "))) }
}

/// Changes who is in a group, where it is of the version that the client means.
async fn change(scim: &ScimState, id: &str, headers: &HeaderMap, change: &ScimMemberChange) -> Result<Uuid, ScimError> {
    retry(|| once(scim, id, headers, change)).await
}

async fn once(scim: &ScimState, id: &str, headers: &HeaderMap, change: &ScimMemberChange) -> Result<Uuid, Lost> {
    let mut transaction = scim.db.begin().await?;
    let uid = hold(&mut transaction, id, headers).await?;
    scim_groups::change_members(&mut transaction, uid, change).await?;
    transaction.commit().await?;
    Ok(uid)
}

/// Holds a group that is to be changed, where it is of the version that the client means.
async fn hold(conn: &mut PgConnection, id: &str, headers: &HeaderMap) -> Result<Uuid, Lost> {
    let uid = uid(id)?;
    let held = scim_groups::hold(conn, uid).await?.ok_or_else(|| ScimError::NoSuchGroup(id.to_owned()))?;
    version::check_meant(headers, held.updated_at)?;
    Ok(uid)
}
