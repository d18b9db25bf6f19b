//! What decides about one user's membership of one group or project.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use super::members::{self, MemberSource};
use super::{Result, group_members};
use crate::domain::audit::AuditEntity;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::member_change::{InheritedMembership, MemberFacts, UnwelcomeAccount};
use crate::domain::user_type::UserType;

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
              -- On any day: what has ended and stands there yet is changed like what has not.
              and gatehouse_is_active_member(members, '-infinity')
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
          ) as "owns_namespace!",
          account.user_type as "user_type?",
          details.bot_namespace_id is not distinct from place.id as "at_home!"
        from namespaces as place
        left join users as account on account.id = $2
        left join user_details as details on details.user_id = $2
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
        unwelcome: match UserType::from_number(row.user_type.unwrap_or_default()) {
            UserType::ProjectBot if !row.at_home => Some(UnwelcomeAccount::ForeignBot),
            kind if kind.is_internal() => Some(UnwelcomeAccount::Internal),
            _ => None,
        },
    };
    if let MemberSource::Group(group) = source {
        // Whoever changes one of these rows waits, be it an identity provider, which knows no other lock.
        group_members::lock_owners(&mut *conn, &[group], today).await?;
        let owner = facts.present.is_some_and(|level| level >= AccessLevel::OWNER);
        facts.last_owner = owner && !has_other_owner(&mut *conn, group, user).await?;
    }
    let mut addresses = members::list_address_rules(conn, &[namespace.0], &[user.0]).await?;
    if let Some((rules, (kind, email))) = addresses.rules.remove(&namespace).zip(addresses.users.get(&user))
        && !rules.admits_address(*kind, email)
    {
        facts.foreign_domains = Some(rules.email_domains);
    }
    Ok(Some(facts))
}

/// Whether the group has an owner for good beside this membership: others, or the same user by a group around it.
async fn has_other_owner(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId) -> Result<bool> {
    let other = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from members
          join users on users.id = members.user_id
          where members.source_type = 'Namespace'
            and members.source_id = any (array(select unnest(traversal_ids) from namespaces where id = $1))
            and members.access_level = $3
            -- For ever: whose last day is known leaves the group without an owner on that day.
            and gatehouse_is_active_member(members, 'infinity')
            and users.user_type <> $4
            and (members.user_id <> $2 or members.source_id <> $1)
        ) as "other!"
        "#,
        group.0,
        user.0,
        AccessLevel::OWNER.0,
        UserType::ProjectBot.number()
    );
    Ok(other.fetch_one(db).await?)
}

/// A membership that went with one further up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedMembership {
    /// What it was of.
    pub entity: AuditEntity,
    /// What it granted.
    pub level: AccessLevel,
}

/// Ends the user's direct memberships in all that is in a group.
pub async fn delete_below(db: impl PgExecutor<'_>, group: NamespaceId, user: UserId) -> Result<Vec<EndedMembership>> {
    let rows = sqlx::query!(
        r#"
        with gone as (
          delete from members
          using namespaces
          where members.user_id = $2
            and namespaces.id = members.member_namespace_id
            and namespaces.traversal_ids @> array[$1::bigint]
            and namespaces.id <> $1
          returning members.source_type, members.source_id, members.access_level
        )
        select gone.source_type, gone.source_id, gone.access_level, routes.path as "path?"
        from gone
        left join routes on routes.source_type = gone.source_type and routes.source_id = gone.source_id
        order by gone.source_type, gone.source_id
        "#,
        group.0,
        user.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| EndedMembership {
            entity: if row.source_type == "Project" {
                AuditEntity::Project(ProjectId(row.source_id), row.path.unwrap_or_default())
            } else {
                AuditEntity::Group(NamespaceId(row.source_id), row.path.unwrap_or_default())
            },
            level: AccessLevel(row.access_level),
        })
        .collect())
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
