//! After an identity provider changed who is in its groups: the memberships that this gives and ends in a linked group.

use std::collections::HashSet;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::retry::{RetryAfter, retried};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::membership::{GroupMemberGrant, last_owner};
use crate::domain::scim::member_sync::MemberSyncPlan;
use crate::store::group_members::{self, ActiveMember};
use crate::store::{self, Db, derived, jobs, scim_member_syncs};

/// Brings memberships of a linked group in line, a transaction for some hundred users at a time; how many users these
/// were. What another one has brought in line already is not found any more.
pub async fn sync_scim_members(db: &Db, group: NamespaceId, today: NaiveDate) -> store::Result<usize> {
    let mut users = 0;
    loop {
        let synced = retried(db, RetryAfter::Undone, || async {
            let mut transaction = db.begin().await?;
            let synced = sync_some(&mut transaction, group, today).await?;
            transaction.commit().await?;
            store::Result::Ok(synced)
        })
        .await?;
        synced.log(group);
        if synced.users == 0 {
            return Ok(users);
        }
        users += synced.users;
    }
}

/// What became of some of those whose membership was marked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncedMembers {
    /// How many users' memberships were brought in line.
    pub users: usize,
    /// Who stays only because a group keeps an owner.
    pub spared: Option<UserId>,
}

impl SyncedMembers {
    /// Says who stays an owner. Called once the transaction is committed.
    pub fn log(self, group: NamespaceId) {
        if let Some(user) = self.spared {
            tracing::warn!(
                group = group.0,
                user = user.0,
                "stays the last owner of a group, though the identity provider took them out"
            );
        }
    }
}

/// Brings memberships of a linked group in line with the groups of the provider, for some of those whose membership was
/// marked; how many these were. The caller commits, and asks again until there is none.
///
/// A group keeps an owner; who stays one for that reason alone is looked at again when others come or go.
pub async fn sync_some(conn: &mut PgConnection, group: NamespaceId, today: NaiveDate) -> store::Result<SyncedMembers> {
    if !scim_member_syncs::lock_group(&mut *conn, group).await? {
        return Ok(SyncedMembers::default());
    }
    let marks = scim_member_syncs::take(&mut *conn, group).await?;
    if marks.is_empty() {
        return Ok(SyncedMembers::default());
    }
    let marked = scim_member_syncs::list_marked(&mut *conn, group, &marks).await?;
    let mut plan = MemberSyncPlan::new(&marked);
    // Those who come are in before the owners are counted: one of them may be the new owner.
    raise(conn, group, &plan.raised, today).await?;
    let owners = group_members::lock_owners(&mut *conn, &[group], today).await?;
    let spared = last_owner(&owners, group, |user| plan.takes_ownership(user));
    if let Some(user) = spared {
        plan.spare(user);
        scim_member_syncs::insert_leaving(&mut *conn, group, user).await?;
    }
    group_members::update(&mut *conn, group, &plan.lowered).await?;
    let removed: Vec<i64> = plan.removed.iter().map(|user| user.0).collect();
    group_members::delete_unlinked(&mut *conn, group, &removed).await?;
    let users: Vec<UserId> = marked.iter().map(|member| member.user).collect();
    derived::refresh_authorizations(conn, &users, today).await?;
    Ok(SyncedMembers { users: users.len() - usize::from(spared.is_some()), spared })
}

/// Makes members, and gives those more who have less. Users that the rules of the top-level group keep out stay out.
async fn raise(
    conn: &mut PgConnection,
    group: NamespaceId,
    grants: &[GroupMemberGrant],
    today: NaiveDate,
) -> store::Result<()> {
    let users: Vec<i64> = grants.iter().map(|grant| grant.user.0).collect();
    let rules = group_members::find_join_rules(&mut *conn, group).await?;
    let joining = group_members::list_joining_users(&mut *conn, group, &users, today).await?;
    let admitted: HashSet<UserId> =
        joining.iter().filter(|user| rules.denial(user).is_none()).map(|user| user.id).collect();
    let admitted: Vec<GroupMemberGrant> =
        grants.iter().filter(|grant| admitted.contains(&grant.user)).copied().collect();
    group_members::upsert(conn, group, &admitted, ActiveMember::Raised, today).await
}

/// Has memberships of these groups brought in line once the transaction is committed, a job for each.
pub(super) async fn enqueue_syncs(conn: &mut PgConnection, mut groups: Vec<NamespaceId>) -> store::Result<()> {
    groups.sort_unstable_by_key(|group| group.0);
    groups.dedup();
    for group in groups {
        jobs::insert_sync_scim_members(&mut *conn, group).await?;
    }
    Ok(())
}
