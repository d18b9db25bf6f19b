//! An administrator looks after a scope of SCIM: makes the token that its provider calls with, and deactivates a user.

use chrono::{DateTime, Utc};

use super::admin_sessions::Administrator;
use super::audit_log;
use super::change_scim_user::change_scim_user;
use super::scim_refusal::ScimUserError;
use crate::domain::audit::{AuditEntity, EventName};
use crate::domain::ids::NamespaceId;
use crate::domain::scim::tenant::{SamlGroup, ScimTenant};
use crate::domain::scim::user_change::ScimUserChange;
use crate::domain::scim::version::ExpectedVersion;
use crate::domain::token;
use crate::store::{self, Db, audit_events, scim_tokens};

/// The tenant of a top-level group that has single sign-on, or of the installation.
pub async fn find_tenant(db: &Db, group: Option<NamespaceId>) -> store::Result<Option<ScimTenant>> {
    let Some(group) = group else { return Ok(Some(ScimTenant::Instance)) };
    let found = scim_tokens::find_group(db.pool(), &group.to_string()).await?;
    Ok(found.and_then(|group| {
        let provider = group.saml?;
        Some(ScimTenant::Group(SamlGroup { id: group.id, name: group.name, full_path: group.path, provider }))
    }))
}

/// Gives the tenant's provider a new token in place of the one before: the token, which is shown once.
pub async fn new_token(
    db: &Db,
    tenant: &ScimTenant,
    by: &Administrator,
    random: [u8; 15],
    now: DateTime<Utc>,
) -> store::Result<String> {
    let token = token::mint("glsoat-", random);
    let event = by.event(EventName::ScimTokenIssued, entity(tenant), "The token before it is good no more");
    let mut transaction = db.begin().await?;
    scim_tokens::replace(&mut *transaction, tenant.scope(), &token::sha256(&token)).await?;
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(token)
}

/// Deactivates a user as their provider would, and writes down who did it in its place.
///
/// # Errors
/// As [`change_scim_user`].
pub async fn deactivate(
    db: &Db,
    tenant: &ScimTenant,
    extern_uid: &str,
    by: &Administrator,
    now: DateTime<Utc>,
) -> Result<(), ScimUserError> {
    let change = ScimUserChange { active: Some(false), extern_uid: None };
    change_scim_user(db, tenant, extern_uid, &ExpectedVersion::new(None), &change, now).await?;
    let message = format!("Deactivated {extern_uid} in place of the provider");
    audit_log::record(db, &by.event(EventName::ScimUserDeactivated, entity(tenant), message), now).await?;
    Ok(())
}

fn entity(tenant: &ScimTenant) -> AuditEntity {
    match tenant {
        ScimTenant::Group(group) => AuditEntity::Group(group.id, group.full_path.clone()),
        ScimTenant::Instance => AuditEntity::Instance,
    }
}
