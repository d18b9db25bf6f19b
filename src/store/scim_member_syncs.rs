//! SCIM: members of linked groups that are marked to be brought in line with the provider's groups.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::membership::GroupMemberGrant;
use crate::domain::scim::member_sync::MarkedMember;

/// Users whose marks are taken at once.
const USERS_AT_ONCE: i64 = 500;

/// Marks, as columns for the next statement to take.
#[derive(Debug, Default)]
pub struct MemberMarks {
    users: Vec<i64>,
    leaves: Vec<bool>,
}

impl MemberMarks {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// Has others wait until the transaction ends who bring members of the group in line: each must see what the one before
/// it did. False where there is no such group.
pub async fn lock_group(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<bool> {
    let locked = sqlx::query_scalar!("select id from namespaces where id = $1 for no key update", group.0);
    Ok(locked.fetch_optional(db).await?.is_some())
}

/// Takes the marks of some hundred members of a group.
pub async fn take(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<MemberMarks> {
    let rows = sqlx::query!(
        "
        delete from scim_member_syncs
        where group_id = $1
          and user_id in (
            select user_id
            from scim_member_syncs
            where group_id = $1
            order by user_id
            limit $2
          )
        returning user_id, leaves
        ",
        group.0,
        USERS_AT_ONCE
    );
    let mut marks = MemberMarks::default();
    for row in rows.fetch_all(db).await? {
        marks.users.push(row.user_id);
        marks.leaves.push(row.leaves);
    }
    Ok(marks)
}

/// The members whose marks were taken, each with the most that links give: the highest level, of the oldest such link.
/// To be called after [`take`] and not with it in one statement: a mark may be taken that is younger than the snapshot
/// that found it, and what it is about must be seen.
pub async fn list_marked(
    db: impl PgExecutor<'_>,
    group: NamespaceId,
    marks: &MemberMarks,
) -> Result<Vec<MarkedMember>> {
    let rows = sqlx::query!(
        r#"
        select
          marked.user_id as "user_id!",
          marked.leaves as "leaves!",
          due.access_level as "access_level?",
          due.member_role_id as "member_role_id?"
        from unnest($2::bigint[], $3::bool[]) as marked (user_id, leaves)
        left join lateral (
          select saml_group_links.access_level, saml_group_links.member_role_id
          from scim_group_memberships
          join saml_group_links on saml_group_links.scim_group_uid = scim_group_memberships.scim_group_uid
          where scim_group_memberships.user_id = marked.user_id
            and saml_group_links.group_id = $1
          order by saml_group_links.access_level desc, saml_group_links.id
          limit 1
        ) as due on true
        order by marked.user_id
        "#,
        group.0,
        &marks.users,
        &marks.leaves
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let user = UserId(row.user_id);
        let grant =
            |level: i16| GroupMemberGrant { user, level: AccessLevel(level.into()), member_role: row.member_role_id };
        MarkedMember { user, leaves: row.leaves, due: row.access_level.map(grant) }
    });
    Ok(rows.collect())
}

/// Marks a member again who left, to be looked at when others come or go.
pub async fn insert_leaving(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId) -> Result<()> {
    sqlx::query!("insert into scim_member_syncs (group_id, user_id, leaves) values ($1, $2, true)", group.0, user.0)
        .execute(db)
        .await?;
    Ok(())
}

/// Takes a user out of all groups of the provider, that does not know the user any more, and marks the memberships that
/// these groups gave. The linked groups of these are handed out.
pub async fn delete_memberships_of(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<NamespaceId>> {
    let groups = sqlx::query_scalar!(
        "
        with gone as (
          delete from scim_group_memberships
          where user_id = $1
          returning scim_group_uid
        )
        insert into scim_member_syncs (group_id, user_id, leaves)
        select distinct saml_group_links.group_id, $1::bigint, true
        from gone
        join saml_group_links on saml_group_links.scim_group_uid = gone.scim_group_uid
        on conflict (group_id, user_id) do update
        set leaves = true
        returning group_id
        ",
        user.0
    );
    Ok(groups.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}
