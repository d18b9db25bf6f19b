//! What decides about one user's membership of one group or project.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::members::{self, MemberSource};
use super::{Result, group_members};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::member_change::{InheritedMembership, MemberFacts};
use crate::domain::membership::last_owner;

/// What decides about the user's membership; none where the group or the project is gone.
pub async fn find(
    conn: &mut PgConnection,
    source: MemberSource,
    user: UserId,
    today: NaiveDate,
) -> Result<Option<MemberFacts>> {
    let namespace = source.namespace();
    let row = sqlx::query!(
        r#"
        select
          (
            select members.access_level
            from members
            where members.member_namespace_id = place.id
              and members.user_id = $2
              and members.requested_at is null
              and members.invite_token is null
              and members.state = 0
          ) as present,
          inherited.access_level as "inherited_level?",
          inherited.name as "inherited_from?",
          place.type = 'Project' and exists (
            select
            from namespaces as around
            where around.id = any (place.traversal_ids)
              and around.id <> place.id
              and around.membership_lock
          ) as "locked!",
          exists (
            select from namespaces as home where home.id = place.parent_id and home.type = 'User' and home.owner_id = $2
          ) as "owns_namespace!"
        from namespaces as place
        left join lateral (
          select members.access_level, groups.name
          from members
          join namespaces as groups on groups.id = members.source_id
          where members.user_id = $2
            and members.source_type = 'Namespace'
            and members.source_id = any (place.traversal_ids)
            and members.source_id <> place.id
            and gatehouse_is_active_member(members, $3)
          order by members.access_level desc, members.id
          limit 1
        ) as inherited on true
        where place.id = $1
        "#,
        namespace.0,
        user.0,
        today
    );
    let Some(row) = row.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let inherited = row.inherited_level.zip(row.inherited_from);
    let mut facts = MemberFacts {
        present: row.present.map(AccessLevel),
        inherited: inherited.map(|(level, group)| InheritedMembership { level: AccessLevel(level), group }),
        locked: row.locked,
        last_owner: false,
        owns_namespace: row.owns_namespace,
        foreign_domains: None,
    };
    if let MemberSource::Group(group) = source {
        let owners = group_members::lock_owners(&mut *conn, group, today).await?;
        facts.last_owner = last_owner(&owners, group, |owner| owner == user).is_some();
    }
    let mut addresses = members::list_address_rules(conn, &[namespace.0], &[user.0]).await?;
    if let Some((rules, (kind, email))) = addresses.rules.remove(&namespace).zip(addresses.users.get(&user))
        && !rules.admits_address(*kind, email)
    {
        facts.foreign_domains = Some(rules.email_domains);
    }
    Ok(Some(facts))
}

/// Ends the user's direct memberships in all that is in a group.
pub async fn delete_below(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId) -> Result<()> {
    sqlx::query!(
        "
        delete from members
        using namespaces
        where members.user_id = $2
          and namespaces.id = members.member_namespace_id
          and namespaces.traversal_ids @> array[$1::bigint]
          and namespaces.id <> $1
        ",
        group.0,
        user.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes users who do not reach a project any more out of what its protections of refs name: of one project, and of all
/// that are in a group.
pub async fn delete_protection_rows(conn: &mut PgConnection, namespace: NamespaceId, user: UserId) -> Result<()> {
    sqlx::query!(
        "
        with lost as (
          select projects.id
          from namespaces
          join projects on projects.project_namespace_id = namespaces.id
          where namespaces.traversal_ids @> array[$1::bigint]
            and not exists (
              select
              from project_authorizations
              where project_authorizations.project_id = projects.id
                and project_authorizations.user_id = $2
            )
        ),
        branches as (
          select protected_branches.id
          from lost
          join protected_branches on protected_branches.project_id = lost.id
        ),
        pushes as (
          delete from protected_branch_push_access_levels
          where user_id = $2 and protected_branch_id in (select id from branches)
        ),
        merges as (
          delete from protected_branch_merge_access_levels
          where user_id = $2 and protected_branch_id in (select id from branches)
        ),
        unprotects as (
          delete from protected_branch_unprotect_access_levels
          where user_id = $2 and protected_branch_id in (select id from branches)
        )
        delete from protected_tag_create_access_levels
        using lost, protected_tags
        where protected_tags.project_id = lost.id
          and protected_tag_create_access_levels.protected_tag_id = protected_tags.id
          and protected_tag_create_access_levels.user_id = $2
        ",
        namespace.0,
        user.0
    )
    .execute(conn)
    .await?;
    Ok(())
}
