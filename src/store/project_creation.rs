//! A project that a push makes: where it would be, and its rows.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::{Result, access_facts};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::level::AccessLevel;
use crate::domain::project_creation::{CreationLevel, ParentNamespace};

/// The namespace at this path, exactly or without regard to case, and what the user is to it.
pub async fn find_parent(
    db: impl PgExecutor<'_>,
    path: &str,
    user: UserId,
    today: NaiveDate,
) -> Result<Option<ParentNamespace>> {
    let row = sqlx::query!(
        r#"
        select
          namespaces.id,
          routes.path as full_path,
          case when namespaces.type = 'User' then namespaces.owner_id end as "owner_id?",
          namespaces.project_creation_level,
          users.projects_limit,
          -- Compared with the limit for a personal namespace only: there all projects are its owner's.
          (select count(*) from projects where projects.namespace_id = namespaces.id) as "projects!",
          greatest(
            (
              select max(members.access_level)
              from members
              where members.user_id = $2
                and members.source_type = 'Namespace'
                and members.source_id = any (namespaces.traversal_ids)
                and gatehouse_is_active_member(members, $3)
            ),
            (
              -- A group share reaches direct members of the invited group alone (schema.md 1.5).
              select max(least(members.access_level, links.group_access))
              from group_group_links as links
              join members
                on members.source_type = 'Namespace'
                and members.source_id = links.shared_with_group_id
              where links.shared_group_id = any (namespaces.traversal_ids)
                and (links.expires_at is null or links.expires_at > $3)
                and members.user_id = $2
                and gatehouse_is_active_member(members, $3)
            )
          ) as "level?",
          coalesce(
            (
              select above.default_branch_name
              from namespace_settings as above
              join namespaces as above_namespaces on above_namespaces.id = above.namespace_id
              where above.namespace_id = any (namespaces.traversal_ids)
                and above.default_branch_name <> ''
              -- The longest chain of ids is the nearest namespace: what it says goes before what is said above it.
              order by cardinality(above_namespaces.traversal_ids) desc
              limit 1
            ),
            (select nullif(default_branch_name, '') from application_settings order by id desc limit 1)
          ) as "default_branch?",
          coalesce(namespaces.traversal_ids[1], namespaces.id) as "root_id!",
          root_settings.enabled_git_access_protocol as "root_protocol?",
          root_settings.enforce_ssh_certificates as "enforce_ssh_certificates?",
          array(
            select ip_restrictions.range
            from ip_restrictions
            where ip_restrictions.group_id = coalesce(namespaces.traversal_ids[1], namespaces.id)
          ) as "ip_ranges!",
          exists (
            select
            from namespace_settings as above
            where above.namespace_id = any (namespaces.traversal_ids)
              and above.archived
          ) as "archived!"
        from routes
        join namespaces on namespaces.id = routes.source_id
        join users on users.id = $2
        -- Outer, for a namespace need not have settings, and then restricts nothing.
        left join namespace_settings as root_settings
          on root_settings.namespace_id = coalesce(namespaces.traversal_ids[1], namespaces.id)
        where routes.source_type = 'Namespace'
          and lower(routes.path) = lower($1)
          -- Not a project namespace: nothing is made in a project.
          and namespaces.type in ('User', 'Group')
        -- Paths may differ in letter case alone: the exact one goes first (schema.md 1.4).
        order by routes.path = $1 desc, routes.id
        limit 1
        "#,
        path,
        user.0,
        today,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ParentNamespace {
        id: NamespaceId(row.id),
        full_path: row.full_path,
        owner: row.owner_id.map(UserId),
        creation_level: CreationLevel::from_level(row.project_creation_level),
        level: AccessLevel(row.level.unwrap_or_default()),
        projects_limit: row.projects_limit.into(),
        projects: row.projects,
        default_branch: row.default_branch,
        root: access_facts::root(
            NamespaceId(row.root_id),
            row.root_protocol,
            row.enforce_ssh_certificates,
            &row.ip_ranges,
        ),
        archived: row.archived,
    }))
}

/// Waits until nobody else makes a project in the namespace, and keeps others waiting until the transaction ends. No
/// row is locked: whoever changes the namespace itself waits for nobody.
pub async fn lock_creation(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<()> {
    let key = format!("new project in {}", namespace.0);
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended($1, 0))::text as "void""#, key).fetch_all(db).await?;
    Ok(())
}

/// An id that no project has and none will get.
pub async fn reserve_id(db: impl PgExecutor<'_>) -> Result<ProjectId> {
    let id = sqlx::query_scalar!(r#"select nextval('projects_id_seq') as "id!""#).fetch_one(db).await?;
    Ok(ProjectId(id))
}

/// The storages that take new repositories, each with its weight; empty where the instance names none.
pub async fn list_storage_weights(db: impl PgExecutor<'_>) -> Result<Vec<(String, f64)>> {
    let rows = sqlx::query!(
        r#"
        select weights.key as "name!", weights.value::float8 as "weight!"
        from (
          select repository_storages_weighted
          from application_settings
          order by id desc
          limit 1
        ) as settings
        cross join jsonb_each_text(settings.repository_storages_weighted) as weights
        where weights.value ~ '^[0-9]{1,9}([.][0-9]{1,9})?$'
          and weights.value::float8 > 0
        order by weights.key
        "#
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.weight)).collect())
}
