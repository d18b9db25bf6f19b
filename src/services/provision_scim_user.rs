//! An identity provider provisions a user (scim.md 3): whoever has the identity already, else whoever has the address,
//! else a new user.
//!
//! Requests for the same user wait for one another: by advisory locks before there is an identity, by the identity's
//! row afterwards. The unique indexes stand behind that, and who loses at one of them looks again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::audit_log;
use super::change_scim_user::{IdentityChange, change_identity};
use super::create_scim_account::create_account;
use super::deprovision_scim_user::deprovision;
use super::join_scim_group::join;
use super::retry::{RetryAfter, retried};
use super::scim_refusal::{ScimUserError, ScimUserRefusal};
use crate::domain::audit::AuditEvent;
use crate::domain::ids::UserId;
use crate::domain::scim::audit;
use crate::domain::scim::new_user::NewScimUser;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::domain::scim::username;
use crate::store::{Db, audit_events, scim_identities, scim_users};

/// A user that an identity is made for.
pub(super) struct ScimAccount {
    /// `users.id`
    pub id: UserId,
    /// `users.username`
    pub username: String,
}

/// Provisions a user. To ask again with the same id changes nothing more, but mends what came undone.
///
/// # Errors
/// [`ScimUserRefusal::Rule`] where a rule stands against it. That an account was not joined is written down.
pub async fn provision_scim_user(
    db: &Db,
    tenant: &ScimTenant,
    new_user: &NewScimUser,
    now: DateTime<Utc>,
) -> Result<(), ScimUserError> {
    let provisioned = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = provision(&mut transaction, tenant, new_user, now).await?;
        transaction.commit().await?;
        Ok(event)
    });
    let provisioned = provisioned.await;
    if let Err(ScimUserError::Refused(ScimUserRefusal::Rule { refusal: ScimRefusal::EmailTaken, .. })) = &provisioned {
        // By itself, for the transaction that found the account wrote nothing.
        let event = audit::provisioning_refused(tenant, new_user.email());
        audit_events::insert(db, &event, now).await?;
        audit_log::log(&event);
    }
    provisioned?.iter().for_each(audit_log::log);
    Ok(())
}

async fn provision(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    new_user: &NewScimUser,
    now: DateTime<Utc>,
) -> Result<Option<AuditEvent>, ScimUserError> {
    let scope = tenant.scope();
    let username = username::candidates(new_user.user_name(), 0).next().unwrap_or_default();
    scim_identities::lock_names(&mut *conn, scope, new_user.extern_uid(), new_user.email(), &username).await?;
    if let Some(identity) = scim_identities::lock_for_update(&mut *conn, scope, new_user.extern_uid()).await? {
        // What the request says of a user who is known already does not count, except that it makes them active.
        if !new_user.active() {
            return Ok(None);
        }
        let change = IdentityChange { extern_uid: &identity.extern_uid, active: Some(true), asks_anew: true };
        return change_identity(conn, tenant, &identity, change, now).await;
    }
    new_user.check_identity()?;
    let (account, is_new) = match scim_users::find_email_owner(&mut *conn, scope, new_user.email()).await? {
        Some(owner) => {
            if scim_identities::find_id_by_user(&mut *conn, scope, owner.id).await?.is_some() {
                return Err(ScimRefusal::UserTaken.into());
            }
            if !owner.may_be_joined() {
                return Err(ScimRefusal::EmailTaken.into());
            }
            (ScimAccount { id: owner.id, username: owner.username }, false)
        }
        None => (create_account(conn, tenant, new_user, now).await?, true),
    };
    scim_identities::insert(&mut *conn, scope, None, account.id, new_user.extern_uid(), new_user.active()).await?;
    match tenant {
        _ if !new_user.active() => {
            deprovision(conn, tenant, account.id, now.date_naive()).await?;
        }
        ScimTenant::Group(group) => join(conn, group, account.id, now.date_naive()).await?,
        ScimTenant::Instance => {}
    }
    let event = audit::provisioned(tenant, (account.id, &account.username), is_new);
    audit_events::insert(conn, &event, now).await?;
    Ok(Some(event))
}
