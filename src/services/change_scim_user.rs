//! An identity provider changes a user that it knows: what it calls them, and whether they are active.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::audit_log;
use super::deprovision_scim_user::deprovision;
use super::join_scim_group::join;
use super::retry::{RetryAfter, retried};
use super::scim_refusal::{ScimUserError, ScimUserRefusal};
use crate::domain::audit::AuditEvent;
use crate::domain::scim::audit;
use crate::domain::scim::new_user::check_extern_uid;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::domain::scim::user_change::{AccessChange, ScimUserChange};
use crate::domain::scim::version::ExpectedVersion;
use crate::store::scim_identities::{self, LockedIdentity};
use crate::store::{Db, audit_events, scim_users};

/// Makes a change, all of it or nothing; what the provider calls the user afterwards.
///
/// # Errors
/// [`ScimUserRefusal::OtherVersion`] where the user is not of a version that the client means, and
/// [`ScimUserRefusal::Rule`] where a rule stands against the change.
pub async fn change_scim_user(
    db: &Db,
    tenant: &ScimTenant,
    id: &str,
    expected: &ExpectedVersion,
    change: &ScimUserChange,
    now: DateTime<Utc>,
) -> Result<String, ScimUserError> {
    let (extern_uid, event) = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let identity = scim_identities::lock_for_update(&mut *transaction, tenant.scope(), id).await?;
        let identity = identity.ok_or(ScimUserError::Refused(ScimUserRefusal::NoSuchUser))?;
        if !expected.admits(identity.updated_at) {
            return Err(ScimUserError::Refused(ScimUserRefusal::OtherVersion));
        }
        let extern_uid = change.extern_uid.as_ref().unwrap_or(&identity.extern_uid);
        check_new_extern_uid(&mut transaction, tenant, &identity, extern_uid)
            .await
            .map_err(|error| error.about(&identity.name))?;
        let change = IdentityChange { extern_uid, active: change.active, asks_anew: false };
        let event = change_identity(&mut transaction, tenant, &identity, change, now)
            .await
            .map_err(|error| error.about(&identity.name))?;
        transaction.commit().await?;
        Ok((extern_uid.clone(), event))
    })
    .await?;
    event.iter().for_each(audit_log::log);
    Ok(extern_uid)
}

async fn check_new_extern_uid(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    identity: &LockedIdentity,
    extern_uid: &str,
) -> Result<(), ScimUserError> {
    if extern_uid == identity.extern_uid {
        return Ok(());
    }
    check_extern_uid(extern_uid)?;
    let other = scim_identities::find_user_id(conn, tenant.scope(), extern_uid).await?;
    if other.is_some_and(|other| other != identity.user) {
        return Err(ScimRefusal::ExternUidTaken.into());
    }
    Ok(())
}

/// What an identity is to be.
pub(super) struct IdentityChange<'a> {
    /// What the provider calls the user.
    pub extern_uid: &'a str,
    /// Provisioned, or deprovisioned; `None` as before.
    pub active: Option<bool>,
    /// The provider asks for the user as for a new one, and what came undone of their access is mended.
    pub asks_anew: bool,
}

/// Writes an identity that is locked, and provisions or deprovisions its user; what happened, where anything did.
pub(super) async fn change_identity(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    identity: &LockedIdentity,
    change: IdentityChange<'_>,
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>, ScimUserError> {
    let today = now.date_naive();
    let active = change.active.unwrap_or(identity.active);
    // First, for an identity that is not active keeps its user out of a group.
    if active != identity.active || change.extern_uid != identity.extern_uid {
        scim_identities::update(&mut *conn, tenant.scope(), identity.id, change.extern_uid, active).await?;
    }
    let user = (identity.user, identity.username.as_str());
    let event = match AccessChange::new(identity.active, change.active, change.asks_anew) {
        AccessChange::Restored => {
            match tenant {
                ScimTenant::Group(group) => join(conn, group, identity.user, today).await?,
                ScimTenant::Instance => scim_users::unblock(&mut *conn, identity.user).await?,
            }
            Some(audit::reactivated(tenant, user))
        }
        AccessChange::Mended => {
            if let ScimTenant::Group(group) = tenant {
                join(conn, group, identity.user, today).await?;
            }
            None
        }
        AccessChange::Revoked => {
            let changed = deprovision(conn, tenant, identity.user, today).await?;
            (changed || identity.active).then(|| audit::deprovisioned(tenant, user))
        }
        AccessChange::Unchanged => None,
    };
    if let Some(event) = &event {
        audit_events::insert(conn, event, now).await?;
    }
    Ok(event)
}
