//! A user whom a group's identity provider takes on becomes a member of the group.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::scim_error::ScimUserError;
use crate::domain::ids::UserId;
use crate::domain::membership::MemberGrant;
use crate::domain::scim::tenant::SamlGroup;
use crate::store::derived;
use crate::store::group_members::{self, ActiveMember};

/// Makes a member of a user who is none, with the group's default role. Who is a member keeps the role that they have.
pub(super) async fn join(
    conn: &mut PgConnection,
    group: &SamlGroup,
    user: UserId,
    today: NaiveDate,
) -> Result<(), ScimUserError> {
    let rules = group_members::find_join_rules(&mut *conn, group.id).await?;
    for joining in group_members::list_joining_users(&mut *conn, group.id, &[user.0], today).await? {
        if joining.is_member {
            return Ok(());
        }
        if let Some(denial) = rules.denial(&joining) {
            return Err(denial.into());
        }
    }
    let grant = MemberGrant { user, level: group.provider.default_role, member_role: group.provider.member_role };
    group_members::upsert(&mut *conn, group.id, &[grant], ActiveMember::Kept, today).await?;
    derived::refresh_authorizations(conn, &[user], today).await?;
    Ok(())
}
