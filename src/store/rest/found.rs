//! A project or a group by its id or path, and what somebody is to it.

use chrono::{NaiveDate, NaiveDateTime};
use ipnet::IpNet;
use sqlx::PgExecutor;

use super::RestName;
use crate::domain::access::RootNamespace;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::{AccessLevel, FeatureLevel, VisibilityLevel};
use crate::store::{Result, access_facts};

/// A project, and what a user is to it.
#[derive(Debug, Clone)]
pub struct ProjectFacts {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// The last part of its path.
    pub path: String,
    /// Its full path.
    pub full_path: String,
    /// The namespace that it is in.
    pub namespace: NamespaceId,
    /// Its shadow among the namespaces.
    pub project_namespace: NamespaceId,
    /// Whose personal namespace that is; nothing for a group's.
    pub owner: Option<UserId>,
    /// Who may see it.
    pub visibility: VisibilityLevel,
    /// Who may use its repository.
    pub repository: FeatureLevel,
    /// It, or a group around it, is archived.
    pub archived: bool,
    /// The day on which it was marked for deletion.
    pub marked_for_deletion_at: Option<NaiveDate>,
    /// The storage of its repository.
    pub storage: String,
    /// When its row changed last.
    pub updated_at: Option<NaiveDateTime>,
    /// The path that names it is a former one.
    pub moved: bool,
    /// The top-level namespace above it.
    pub root: RootNamespace,
    /// Addresses that the instance lets in everywhere.
    pub globally_allowed: Vec<IpNet>,
    /// What the user is to it.
    pub level: AccessLevel,
}

/// The project of that id, path or former path; nothing where it is hidden or on its way out.
pub async fn find_project(db: impl PgExecutor<'_>, name: &RestName, user: UserId) -> Result<Option<ProjectFacts>> {
    let row = sqlx::query!(
        r#"
        select
          project.id,
          coalesce(project.name, '') as "name!",
          coalesce(project.path, '') as "path!",
          route.path as full_path,
          project.namespace_id,
          project.project_namespace_id,
          case when namespace.type = 'User' then namespace.owner_id end as "owner?",
          project.visibility_level,
          features.repository_access_level as "repository?",
          project.archived or exists (
            select
            from namespace_settings
            where namespace_settings.namespace_id = any (namespace.traversal_ids)
              and namespace_settings.archived
          ) as "archived!",
          project.marked_for_deletion_at,
          project.repository_storage,
          project.updated_at,
          named.moved as "moved!",
          coalesce(namespace.traversal_ids[1], namespace.id) as "root_id!",
          array(
            select ip_restrictions.range
            from ip_restrictions
            where ip_restrictions.group_id = coalesce(namespace.traversal_ids[1], namespace.id)
          ) as "ip_ranges!",
          (select globally_allowed_ips from application_settings order by id desc limit 1) as globally_allowed,
          coalesce(
            greatest(
              case when namespace.type = 'User' and namespace.owner_id = $3 then 50 end,
              (
                select max(project_authorizations.access_level)
                from project_authorizations
                where project_authorizations.user_id = $3
                  and project_authorizations.project_id = project.id
              )
            ),
            0
          ) as "level!"
        from (
          -- The exact path, the path in other letters, a former path: the first that there is.
          select id, moved
          from (
            select $1::bigint as id, false as moved, 0 as place
            where $1::bigint is not null
            union all
            select source_id, false, case when path = $2 then 1 else 2 end
            from routes
            where lower(path) = lower($2)
              and source_type = 'Project'
            union all
            select source_id, true, 3
            from redirect_routes
            where lower(path) = lower($2)
              and source_type = 'Project'
          ) as candidate
          order by place
          limit 1
        ) as named
        join projects as project on project.id = named.id
        join routes as route on route.source_type = 'Project' and route.source_id = project.id
        join namespaces as namespace on namespace.id = project.namespace_id
        left join project_features as features on features.project_id = project.id
        where not project.hidden
          and not coalesce(project.pending_delete, false)
        "#,
        name.id(),
        name.path(),
        user.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ProjectFacts {
        id: ProjectId(row.id),
        name: row.name,
        path: row.path,
        full_path: row.full_path,
        namespace: NamespaceId(row.namespace_id),
        project_namespace: NamespaceId(row.project_namespace_id),
        owner: row.owner.map(UserId),
        visibility: VisibilityLevel::from_level(row.visibility_level),
        repository: FeatureLevel::from_level(row.repository),
        archived: row.archived,
        marked_for_deletion_at: row.marked_for_deletion_at,
        storage: row.repository_storage,
        updated_at: row.updated_at,
        moved: row.moved,
        root: access_facts::root(NamespaceId(row.root_id), None, None, &row.ip_ranges),
        globally_allowed: access_facts::globally_allowed(row.globally_allowed.as_deref()),
        level: AccessLevel(row.level),
    }))
}

/// A group, and what a user is to it.
#[derive(Debug, Clone)]
pub struct GroupFacts {
    /// Its id.
    pub id: NamespaceId,
    /// Its name.
    pub name: String,
    /// The last part of its path.
    pub path: String,
    /// Its full path.
    pub full_path: String,
    /// The group that it is in.
    pub parent: Option<NamespaceId>,
    /// The groups from the root down to itself.
    pub traversal: Vec<NamespaceId>,
    /// Who may see it.
    pub visibility: VisibilityLevel,
    /// It, or a group around it, is archived.
    pub archived: bool,
    /// When its row changed last.
    pub updated_at: Option<NaiveDateTime>,
    /// The top-level namespace above it.
    pub root: RootNamespace,
    /// Addresses that the instance lets in everywhere.
    pub globally_allowed: Vec<IpNet>,
    /// What the user is to it, by memberships of it and the groups above, and by shares.
    pub level: AccessLevel,
    /// Whether the user belongs to something below it.
    pub belongs_below: bool,
}

/// The group of that id or path, and what the user is to it on this day.
pub async fn find_group(
    db: impl PgExecutor<'_>,
    name: &RestName,
    user: UserId,
    today: NaiveDate,
) -> Result<Option<GroupFacts>> {
    let row = sqlx::query!(
        r#"
        select
          namespace.id,
          namespace.name,
          namespace.path,
          route.path as full_path,
          namespace.parent_id,
          namespace.traversal_ids,
          namespace.visibility_level,
          exists (
            select
            from namespace_settings
            where namespace_settings.namespace_id = any (namespace.traversal_ids)
              and namespace_settings.archived
          ) as "archived!",
          namespace.updated_at,
          coalesce(namespace.traversal_ids[1], namespace.id) as "root_id!",
          array(
            select ip_restrictions.range
            from ip_restrictions
            where ip_restrictions.group_id = coalesce(namespace.traversal_ids[1], namespace.id)
          ) as "ip_ranges!",
          (select globally_allowed_ips from application_settings order by id desc limit 1) as globally_allowed,
          coalesce(
            greatest(
              (
                select max(members.access_level)
                from members
                where members.user_id = $3
                  and members.source_type = 'Namespace'
                  and members.source_id = any (namespace.traversal_ids)
                  and gatehouse_is_active_member(members, $4)
              ),
              (
                -- A group share reaches direct members of the invited group alone (schema.md 1.5).
                select max(least(members.access_level, links.group_access))
                from group_group_links as links
                join members
                  on members.source_type = 'Namespace'
                  and members.source_id = links.shared_with_group_id
                where links.shared_group_id = any (namespace.traversal_ids)
                  and (links.expires_at is null or links.expires_at > $4)
                  and members.user_id = $3
                  and gatehouse_is_active_member(members, $4)
              )
            ),
            0
          ) as "level!",
          (
            exists (
              select
              from members
              join namespaces as inner_group on inner_group.id = members.source_id
              where members.user_id = $3
                and members.source_type = 'Namespace'
                and namespace.id = any (inner_group.traversal_ids)
                and gatehouse_is_active_member(members, $4)
            )
            or exists (
              select
              from project_authorizations
              join projects on projects.id = project_authorizations.project_id
              join namespaces as inner_group on inner_group.id = projects.namespace_id
              where project_authorizations.user_id = $3
                and namespace.id = any (inner_group.traversal_ids)
            )
          ) as "belongs_below!"
        from namespaces as namespace
        join routes as route on route.source_type = 'Namespace' and route.source_id = namespace.id
        where namespace.type = 'Group'
          and namespace.id = coalesce(
            $1::bigint,
            (
              select source_id
              from routes
              where lower(path) = lower($2)
                and source_type = 'Namespace'
              order by path = $2 desc, id
              limit 1
            )
          )
        "#,
        name.id(),
        name.path(),
        user.0,
        today
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| GroupFacts {
        id: NamespaceId(row.id),
        name: row.name,
        path: row.path,
        full_path: row.full_path,
        parent: row.parent_id.map(NamespaceId),
        traversal: row.traversal_ids.into_iter().map(NamespaceId).collect(),
        visibility: VisibilityLevel::from_level(row.visibility_level),
        archived: row.archived,
        updated_at: row.updated_at,
        root: access_facts::root(NamespaceId(row.root_id), None, None, &row.ip_ranges),
        globally_allowed: access_facts::globally_allowed(row.globally_allowed.as_deref()),
        level: AccessLevel(row.level),
        belongs_below: row.belongs_below,
    }))
}
