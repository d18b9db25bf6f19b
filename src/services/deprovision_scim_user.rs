//! An identity provider deprovisions a user: what its tenant gives them ends, and the identity stays.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::scim_refusal::ScimUserError;
use crate::domain::ids::UserId;
use crate::domain::membership::last_owner;
use crate::domain::scim::refusal::ScimRefusal;
use crate::domain::scim::tenant::ScimTenant;
use crate::store::{derived, group_members, scim_users};

/// Ends what the tenant gives a user; whether there was anything to end.
pub(super) async fn deprovision(
    conn: &mut PgConnection,
    tenant: &ScimTenant,
    user: UserId,
    today: NaiveDate,
) -> Result<bool, ScimUserError> {
    match tenant {
        ScimTenant::Group(group) => {
            let owners = group_members::lock_owners(&mut *conn, &[group.id], today).await?;
            if last_owner(&owners, group.id, |owner| owner == user).is_some() {
                return Err(ScimRefusal::LastOwner.into());
            }
            let changed = group_members::delete_below_root(&mut *conn, group.id, user).await? > 0;
            if changed {
                derived::refresh_authorizations(conn, &[user], today).await?;
            }
            Ok(changed)
        }
        ScimTenant::Instance => {
            let changed = scim_users::block(&mut *conn, user).await? > 0;
            scim_users::delete_otp_sessions(conn, user).await?;
            Ok(changed)
        }
    }
}
