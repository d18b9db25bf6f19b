//! Memberships of groups, many at a time: who may get one, who gets one, and who loses one.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::membership::{GroupMemberGrant, GroupOwner, JoinRules, JoiningUser};
use crate::domain::user_type::UserType;

/// What happens to a membership that is active already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActiveMember {
    /// It stays as it is.
    Kept,
    /// It is raised to what is granted, where that is more.
    Raised,
}

/// What the top-level group of this group asks of members.
pub async fn find_join_rules(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<JoinRules> {
    let rules = sqlx::query_as!(
        JoinRules,
        r#"
        select
          array(select domain from allowed_email_domains where group_id = root.id) as "email_domains!",
          exists (select from saml_providers where group_id = root.id and enforced_sso) as "enforced_sso!"
        from (select coalesce(traversal_ids[1], id) as id from namespaces where id = $1) as root
        "#,
        group.0
    );
    Ok(rules.fetch_optional(db).await?.unwrap_or_default())
}

/// What the rules look at of users who are to join a group; users who are gone are left out.
pub async fn list_joining_users(
    db: impl PgExecutor<'_>,
    group: NamespaceId,
    users: &[i64],
    today: NaiveDate,
) -> Result<Vec<JoiningUser>> {
    let rows = sqlx::query!(
        r#"
        select
          users.id,
          users.user_type,
          users.email,
          exists (
            select
            from members
            where source_type = 'Namespace'
              -- Of this very group: who inherits a membership may get one of their own.
              and source_id = $1
              and members.user_id = users.id
              and gatehouse_is_active_member(members, $3)
          ) as "is_member!",
          -- No provider that enforces single sign-on and at which the user has no account: true where none enforces it.
          not exists (
            select
            from saml_providers
            where saml_providers.group_id = root.id
              and saml_providers.enforced_sso
              and not exists (
                select
                from identities
                where identities.saml_provider_id = saml_providers.id
                  and identities.user_id = users.id
              )
          ) as "is_linked!",
          exists (
            select
            from group_scim_identities
            where group_scim_identities.group_id = root.id
              and group_scim_identities.user_id = users.id
              and group_scim_identities.active is false
          ) as "is_deprovisioned!"
        from users
        -- Providers and SCIM belong to the top-level group, whose rules hold for all below it.
        cross join (select coalesce(traversal_ids[1], id) as id from namespaces where id = $1) as root
        where users.id = any ($2)
        "#,
        group.0,
        users,
        today
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| JoiningUser {
        id: UserId(row.id),
        user_type: UserType::from_number(row.user_type),
        email: row.email,
        is_member: row.is_member,
        is_linked: row.is_linked,
        is_deprovisioned: row.is_deprovisioned,
    });
    Ok(rows.collect())
}

/// Grants as columns, for one statement to take.
#[derive(Default)]
struct GrantColumns {
    users: Vec<i64>,
    levels: Vec<i32>,
    roles: Vec<Option<i64>>,
}

impl GrantColumns {
    fn of(grants: &[GroupMemberGrant]) -> Self {
        let mut columns = Self::default();
        for grant in grants {
            columns.users.push(grant.user.0);
            columns.levels.push(grant.level.0);
            columns.roles.push(grant.member_role);
        }
        columns
    }
}

/// Makes active members of users.
pub async fn upsert(
    db: impl PgExecutor<'_>,
    group: NamespaceId,
    grants: &[GroupMemberGrant],
    active: ActiveMember,
    today: NaiveDate,
) -> Result<()> {
    let columns = GrantColumns::of(grants);
    sqlx::query!(
        "
        insert into members (
          type, source_type, source_id, member_namespace_id, user_id, access_level, member_role_id, state
        )
        select 'GroupMember', 'Namespace', $1, $1, granted.user_id, granted.access_level, granted.member_role_id, 0
        from unnest($2::bigint[], $3::int[], $4::bigint[]) as granted (user_id, access_level, member_role_id)
        on conflict (source_type, source_id, user_id) where user_id is not null do update
        set access_level = excluded.access_level,
            member_role_id = excluded.member_role_id,
            expires_at = null,
            requested_at = null,
            invite_token = null,
            state = 0,
            updated_at = now() at time zone 'utc'
        where not gatehouse_is_active_member(members, $5)
          or ($6 and members.access_level < excluded.access_level)
        ",
        group.0,
        &columns.users,
        &columns.levels,
        columns.roles.as_slice() as &[Option<i64>],
        today,
        active == ActiveMember::Raised
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives members exactly what is granted, who have more or another role. Users who are no members stay none.
pub async fn update(db: impl PgExecutor<'_>, group: NamespaceId, grants: &[GroupMemberGrant]) -> Result<()> {
    let columns = GrantColumns::of(grants);
    sqlx::query!(
        "
        update members
        set access_level = granted.access_level,
            member_role_id = granted.member_role_id,
            updated_at = now() at time zone 'utc'
        from unnest($2::bigint[], $3::int[], $4::bigint[]) as granted (user_id, access_level, member_role_id)
        where members.source_type = 'Namespace'
          and members.source_id = $1
          and members.user_id = granted.user_id
          and (members.access_level, members.member_role_id)
            is distinct from (granted.access_level, granted.member_role_id)
        ",
        group.0,
        &columns.users,
        &columns.levels,
        columns.roles.as_slice() as &[Option<i64>]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends memberships and requests for access in the group and below it, but for those below that the provider's groups
/// give.
pub async fn delete_unlinked(db: impl PgExecutor<'_>, group: NamespaceId, users: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        delete from members
        using namespaces
        where members.user_id = any ($2)
          and namespaces.id = members.member_namespace_id
          and $1 = any (namespaces.traversal_ids)
          and not exists (
            select
            from saml_group_links
            join scim_group_memberships on scim_group_memberships.scim_group_uid = saml_group_links.scim_group_uid
            where saml_group_links.group_id = namespaces.id
              and scim_group_memberships.user_id = members.user_id
          )
        ",
        group.0,
        users
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the user's memberships and requests for access in a top-level group and in all below it; how many there were.
pub async fn delete_below_root(db: impl PgExecutor<'_>, root: NamespaceId, user: UserId) -> Result<u64> {
    let deleted = sqlx::query!(
        "
        delete from members
        using namespaces
        where members.user_id = $2
          and namespaces.id = members.member_namespace_id
          and namespaces.traversal_ids[1] = $1
        ",
        root.0,
        user.0
    );
    Ok(deleted.execute(db).await?.rows_affected())
}

/// The owners of groups, by themselves or by a group around them, locked until the transaction ends: of two writers who
/// remove an owner each, the later one sees what the earlier one did.
pub async fn lock_owners(db: impl PgExecutor<'_>, groups: &[NamespaceId], today: NaiveDate) -> Result<Vec<GroupOwner>> {
    let groups: Vec<i64> = groups.iter().map(|group| group.0).collect();
    let owners = sqlx::query!(
        r#"
        select
          members.user_id as "user_id!",
          members.source_id,
          members.expires_at is not null as "ends!"
        from members
        join users on users.id = members.user_id
        where members.source_type = 'Namespace'
          and members.source_id = any (array(select unnest(traversal_ids) from namespaces where id = any($1)))
          and members.access_level = $2
          and gatehouse_is_active_member(members, $3)
          and users.user_type <> $4
        order by members.id
        for update of members
        "#,
        &groups,
        AccessLevel::OWNER.0,
        today,
        UserType::ProjectBot.number()
    );
    let owners = owners.fetch_all(db).await?.into_iter();
    let owners = owners.map(|row| GroupOwner {
        user: UserId(row.user_id),
        member_of: NamespaceId(row.source_id),
        ends: row.ends,
    });
    Ok(owners.collect())
}
