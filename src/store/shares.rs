//! Shares of groups and projects with groups, one at a time.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use super::members::MemberSource;
use crate::domain::ids::NamespaceId;

/// What decides whether something may be shared with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareFacts {
    /// The ids from the root down to what is to be shared.
    pub lineage: Vec<i64>,
    /// The ids from the root down to the other group.
    pub with_lineage: Vec<i64>,
    /// The full path of the other group; none where it is gone.
    pub with_path: Option<String>,
    /// The group of the project forbids that its projects are shared.
    pub locked: bool,
    /// The root group has groups shared within it alone.
    pub within_hierarchy: bool,
    /// It is shared with the group already.
    pub linked: bool,
}

/// What decides whether the group or project may be shared with a group; none where it is gone.
pub async fn find_facts(
    db: impl PgExecutor<'_>,
    source: MemberSource,
    with: NamespaceId,
) -> Result<Option<ShareFacts>> {
    let project = if let MemberSource::Project(project, _) = source { Some(project.0) } else { None };
    let facts = sqlx::query_as!(
        ShareFacts,
        r#"
        select
          place.traversal_ids as "lineage!",
          coalesce(other.traversal_ids, '{}') as "with_lineage!",
          other_route.path as "with_path?",
          exists (
            select
            from namespaces as around
            where around.id = any (place.traversal_ids)
              and around.id <> place.id
              and around.share_with_group_lock
          ) as "locked!",
          coalesce(root_settings.prevent_sharing_groups_outside_hierarchy, false) as "within_hierarchy!",
          case
            when $2::bigint is null
            then exists (
              select from group_group_links where shared_group_id = place.id and shared_with_group_id = $3
            )
            else exists (select from project_group_links where project_id = $2 and group_id = $3)
          end as "linked!"
        from namespaces as place
        left join namespaces as other on other.id = $3 and other.type = 'Group'
        left join routes as other_route on other_route.source_type = 'Namespace' and other_route.source_id = other.id
        left join namespace_settings as root_settings on root_settings.namespace_id = place.traversal_ids[1]
        where place.id = $1
        "#,
        source.namespace().0,
        project,
        with.0
    );
    Ok(facts.fetch_optional(db).await?)
}

/// A share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRow {
    /// The id of the link.
    pub id: i64,
    /// What it gives.
    pub level: i32,
    /// The first day on which it is over.
    pub expires_at: Option<NaiveDate>,
    /// The full path of the group that gets it.
    pub path: String,
}

/// The share of a group or project with a group.
pub async fn find_link(db: impl PgExecutor<'_>, source: MemberSource, with: NamespaceId) -> Result<Option<ShareRow>> {
    let (group, project) = match source {
        MemberSource::Group(group) => (Some(group.0), None),
        MemberSource::Project(project, _) => (None, Some(project.0)),
    };
    let row = sqlx::query_as!(
        ShareRow,
        r#"
        select link.id as "id!", link.level as "level!", link.expires_at, coalesce(routes.path, '') as "path!"
        from (
          select id, group_access::int as level, expires_at, shared_with_group_id as group_id
          from group_group_links
          where shared_group_id = $1
            and shared_with_group_id = $3
          union all
          select id, group_access, expires_at, group_id
          from project_group_links
          where project_id = $2
            and group_id = $3
        ) as link
        left join routes on routes.source_type = 'Namespace' and routes.source_id = link.group_id
        "#,
        group,
        project,
        with.0
    );
    Ok(row.fetch_optional(db).await?)
}
