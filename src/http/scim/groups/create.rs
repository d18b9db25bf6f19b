//! `POST /Groups`: ties a group of the provider to the groups here whose SAML group link has its name.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::{members, require, resource, uuid};
use crate::domain::scim::group::{GROUP_SCHEMA, ScimMemberChange};
use crate::http::auth::scim::ScimCaller;
use crate::http::scim::body::{self, ScimBody};
use crate::http::scim::error::ScimError;
use crate::http::scim::race::{Lost, retry};
use crate::http::scim::{ScimState, projection_of};
use crate::store::scim_groups::{self, Linked};

/// The group afterwards, with the members that the request adds. To ask again is answered the same.
///
/// # Errors
/// 400 without a name, 409 where the id is that of a group of another name, 412 where no link has the name.
pub async fn create(
    State(scim): State<ScimState>,
    caller: ScimCaller,
    RawQuery(query): RawQuery,
    ScimBody(fields): ScimBody,
) -> Result<Response, ScimError> {
    require(&fields, &["displayName"])?;
    let refused = |detail: &str| ScimError::Refused(detail.to_owned());
    let name = body::member(&fields, "displayName").and_then(body::text).filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| refused("Missing params: [:saml_group_name]"))?;
    let wanted = match body::member(&fields, "externalId") {
        None => None,
        Some(id) => {
            let id = body::text(id).and_then(|id| uuid(&id));
            Some(id.ok_or_else(|| refused("Invalid UUID for scim_group_uid"))?)
        }
    };
    let mut change = ScimMemberChange::default();
    change.add(members::parse_known_ids(body::member(&fields, "members").unwrap_or_default())?);
    let uid = match retry(|| once(&scim, &name, wanted, &change)).await? {
        Linked::Done(uid) => uid,
        Linked::NoSuchName => return Err(refused(&format!("No matching SAML group found with name: {name}"))),
        Linked::UidTaken => return Err(ScimError::Conflict("Scim group uid has already been taken".to_owned())),
    };
    let projection = projection_of(GROUP_SCHEMA, query.as_deref());
    resource::answer(&scim, &caller, uid, &projection, StatusCode::CREATED).await
}

async fn once(scim: &ScimState, name: &str, wanted: Option<Uuid>, change: &ScimMemberChange) -> Result<Linked, Lost> {
    let mut transaction = scim.db.begin().await?;
    let linked = scim_groups::link(&mut transaction, name, wanted).await?;
    if let Linked::Done(uid) = linked {
        scim_groups::change_members(&mut transaction, uid, change).await?;
        transaction.commit().await?;
    }
    Ok(linked)
}
