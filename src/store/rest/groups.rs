//! Groups as the public REST API lists and shows them.

use chrono::{NaiveDate, NaiveDateTime};
use ipnet::IpNet;
use serde_json::Value;
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::lists::{Direction, ListPart, Listed, push_search};
use crate::domain::access::RootNamespace;
use crate::domain::ids::{NamespaceId, UserId};
use crate::store::{Db, Result, access_facts};

/// All that is shown of a group.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "GitLab's names")]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct GroupShapeRow {
    pub id: i64,
    pub name: String,
    pub path: String,
    pub description: String,
    pub visibility_level: i32,
    pub full_path: String,
    pub full_name: String,
    pub parent_id: Option<i64>,
    pub created_at: Option<NaiveDateTime>,
    pub share_with_group_lock: bool,
    pub membership_lock: bool,
    pub request_access_enabled: bool,
    /// What is said at the group itself, or at the nearest above it.
    pub lfs_enabled: bool,
    pub project_creation_level: Option<i32>,
    pub subgroup_creation_level: Option<i32>,
    pub require_two_factor_authentication: bool,
    pub two_factor_grace_period: i32,
    pub auto_devops_enabled: Option<bool>,
    pub mentions_disabled: Option<bool>,
    pub shared_runners_enabled: bool,
    pub shared_runners_overridable: bool,
    pub shared_runners_minutes_limit: Option<i32>,
    pub extra_shared_runners_minutes_limit: Option<i32>,
    pub max_artifacts_size: Option<i32>,
    pub default_branch_protection: Option<i16>,
    pub default_branch_protection_defaults: Value,
    pub default_branch: Option<String>,
    /// The group itself is archived, or one around it.
    pub archived: bool,
    pub emails_enabled: bool,
    pub show_diff_preview_in_email: bool,
    pub only_allow_merge_if_pipeline_succeeds: bool,
    pub allow_merge_on_skipped_pipeline: bool,
    pub only_allow_merge_if_all_discussions_are_resolved: bool,
    pub math_rendering_limits_enabled: bool,
    pub lock_math_rendering_limits_enabled: bool,
    pub prevent_forking_outside_group: bool,
    pub prevent_sharing_groups_outside_hierarchy: bool,
    pub enabled_git_access_protocol: i16,
    pub wiki_access_level: i32,
    pub marked_for_deletion_on: Option<NaiveDate>,
    pub ip_restriction_ranges: Vec<String>,
    pub allowed_email_domains: Vec<String>,
    pub repository_storage: String,
}

/// These groups in the order of the ids; those that are gone meanwhile are left out.
pub async fn list_shapes(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<GroupShapeRow>> {
    let rows = sqlx::query_as!(
        GroupShapeRow,
        r#"
        select
          namespaces.id,
          namespaces.name,
          namespaces.path,
          namespaces.description,
          namespaces.visibility_level,
          routes.path as full_path,
          coalesce(routes.name, '') as "full_name!",
          namespaces.parent_id,
          namespaces.created_at,
          coalesce(namespaces.share_with_group_lock, false) as "share_with_group_lock!",
          coalesce(namespaces.membership_lock, false) as "membership_lock!",
          namespaces.request_access_enabled,
          coalesce(
            (
              select above.lfs_enabled
              from namespaces as above
              where above.id = any (namespaces.traversal_ids)
                and above.lfs_enabled is not null
              order by cardinality(above.traversal_ids) desc
              limit 1
            ),
            true
          ) as "lfs_enabled!",
          namespaces.project_creation_level,
          namespaces.subgroup_creation_level,
          namespaces.require_two_factor_authentication,
          namespaces.two_factor_grace_period,
          namespaces.auto_devops_enabled,
          namespaces.mentions_disabled,
          namespaces.shared_runners_enabled,
          namespaces.allow_descendants_override_disabled_shared_runners as shared_runners_overridable,
          namespaces.shared_runners_minutes_limit,
          namespaces.extra_shared_runners_minutes_limit,
          namespaces.max_artifacts_size,
          namespaces.default_branch_protection,
          coalesce(settings.default_branch_protection_defaults, '{}') as "default_branch_protection_defaults!",
          nullif(settings.default_branch_name, '') as "default_branch",
          exists (
            select
            from namespace_settings as above
            where above.namespace_id = any (namespaces.traversal_ids)
              and above.archived
          ) as "archived!",
          coalesce(settings.emails_enabled, true) as "emails_enabled!",
          coalesce(settings.show_diff_preview_in_email, true) as "show_diff_preview_in_email!",
          coalesce(settings.only_allow_merge_if_pipeline_succeeds, false) as "only_allow_merge_if_pipeline_succeeds!",
          coalesce(settings.allow_merge_on_skipped_pipeline, false) as "allow_merge_on_skipped_pipeline!",
          coalesce(settings.only_allow_merge_if_all_discussions_are_resolved, false)
            as "only_allow_merge_if_all_discussions_are_resolved!",
          coalesce(settings.math_rendering_limits_enabled, true) as "math_rendering_limits_enabled!",
          coalesce(settings.lock_math_rendering_limits_enabled, false) as "lock_math_rendering_limits_enabled!",
          coalesce(settings.prevent_forking_outside_group, false) as "prevent_forking_outside_group!",
          coalesce(settings.prevent_sharing_groups_outside_hierarchy, false)
            as "prevent_sharing_groups_outside_hierarchy!",
          coalesce(settings.enabled_git_access_protocol, 0::smallint) as "enabled_git_access_protocol!",
          coalesce(group_features.wiki_access_level, 20) as "wiki_access_level!",
          group_deletion_schedules.marked_for_deletion_on as "marked_for_deletion_on?",
          array(
            select range from ip_restrictions where ip_restrictions.group_id = namespaces.id order by range
          ) as "ip_restriction_ranges!",
          array(
            select domain from allowed_email_domains where allowed_email_domains.group_id = namespaces.id order by domain
          ) as "allowed_email_domains!",
          'default' as "repository_storage!"
        from unnest($1::bigint[]) with ordinality as wanted (id, place)
        join namespaces on namespaces.id = wanted.id and namespaces.type = 'Group'
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join namespace_settings as settings on settings.namespace_id = namespaces.id
        left join group_features on group_features.group_id = namespaces.id
        left join group_deletion_schedules on group_deletion_schedules.group_id = namespaces.id
        order by wanted.place
        "#,
        ids
    );
    Ok(rows.fetch_all(db).await?)
}

/// What a list of groups is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupOrder {
    /// The name.
    #[default]
    Name,
    /// The last part of the path.
    Path,
    /// The id.
    Id,
    /// Those first whose name is what is searched for.
    Similarity,
}

/// Below which group a list looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupScope {
    /// Below none: everywhere.
    #[default]
    Everywhere,
    /// At the children of a group.
    Children(NamespaceId),
    /// At all that is below a group.
    Descendants(NamespaceId),
}

/// Which groups are listed.
#[derive(Debug, Clone, Default)]
pub struct GroupFilter {
    /// Whose list it is.
    pub user: i64,
    /// All groups count as reached.
    pub all: bool,
    /// Those of these visibilities too, whether reached or not.
    pub open: Vec<i32>,
    /// Those alone in which the user has this level at least.
    pub least_level: Option<i32>,
    /// In their names or paths.
    pub search: Option<String>,
    /// Of this visibility.
    pub visibility: Option<i32>,
    /// Those without a group around them.
    pub top_level_only: bool,
    /// But these.
    pub skip: Vec<i64>,
    /// Where.
    pub scope: GroupScope,
    /// But what is in these root groups.
    pub closed_roots: Vec<i64>,
    /// In this order.
    pub order: GroupOrder,
    /// In this direction.
    pub direction: Direction,
}

/// The ids of the groups on a part of the list.
pub async fn list(db: &Db, filter: &GroupFilter, part: ListPart, today: NaiveDate) -> Result<Listed> {
    let mut query = QueryBuilder::new("");
    push_reached(&mut query, UserId(filter.user), today);
    query.push(
        " select page.id, counted.total
          from (select count(*) as total from (select ",
    );
    push_source(&mut query, filter);
    query.push(" limit ").push(super::lists::MOST_COUNTED + 1);
    query.push(") as counted) as counted left join lateral (select namespaces.id, row_number() over (");
    push_order(&mut query, filter);
    query.push(") as place ");
    push_source(&mut query, filter);
    push_order(&mut query, filter);
    part.push(&mut query);
    query.push(") as page on true order by page.place");
    Listed::fetch(db, query).await
}

/// The groups that a user reaches: by a membership of them or of a group around them, by a share with a group whose direct
/// member they are, each with the highest level; and those around what they belong to, without one.
pub(super) fn push_reached(query: &mut QueryBuilder<Postgres>, user: UserId, today: NaiveDate) {
    query.push(
        "with direct as materialized (
           select member_namespace_id as id, access_level as level, source_type
           from members
           where user_id = ",
    );
    query.push_bind(user.0).push(" and gatehouse_is_active_member(members, ").push_bind(today).push(
        ")
         ),
         starts as (
           select id, level
           from direct
           where source_type = 'Namespace'
           union all
           select links.shared_group_id, least(direct.level, links.group_access)
           from direct
           join group_group_links as links on links.shared_with_group_id = direct.id
           where direct.source_type = 'Namespace'
             and (links.expires_at is null or links.expires_at > ",
    );
    query.push_bind(today).push(
        ")
         ),
         below as (
           select namespaces.id, max(starts.level) as level
           from starts
           join namespaces on namespaces.traversal_ids @> array[starts.id]
           where namespaces.type = 'Group'
           group by namespaces.id
         ),
         belonging as (
           select id from direct
           union
           select id from starts
           union
           select projects.project_namespace_id
           from below
           join project_group_links on project_group_links.group_id = below.id
           join projects on projects.id = project_group_links.project_id
         ),
         reached as materialized (
           select id, max(level) as level
           from (
             select id, level from below
             union all
             select unnest(namespaces.traversal_ids), 0
             from belonging
             join namespaces on namespaces.id = belonging.id
           ) as places
           group by id
         )",
    );
}

fn push_source(query: &mut QueryBuilder<Postgres>, filter: &GroupFilter) {
    query.push(" from namespaces where namespaces.type = 'Group'");
    if let Some(level) = filter.least_level {
        query.push(" and namespaces.id in (select id from reached where level >= ").push_bind(level).push(")");
    } else if !filter.all {
        query.push(" and (namespaces.id in (select id from reached)");
        if !filter.open.is_empty() {
            query.push(" or namespaces.visibility_level = any (").push_bind(filter.open.clone()).push(")");
        }
        query.push(")");
    }
    match filter.scope {
        GroupScope::Everywhere => {}
        GroupScope::Children(group) => {
            query.push(" and namespaces.parent_id = ").push_bind(group.0);
        }
        GroupScope::Descendants(group) => {
            query.push(" and namespaces.traversal_ids @> array[").push_bind(group.0).push("::bigint]");
            query.push(" and namespaces.id <> ").push_bind(group.0);
        }
    }
    if let Some(level) = filter.visibility {
        query.push(" and namespaces.visibility_level = ").push_bind(level);
    }
    if filter.top_level_only {
        query.push(" and namespaces.parent_id is null");
    }
    if !filter.skip.is_empty() {
        query.push(" and namespaces.id <> all (").push_bind(filter.skip.clone()).push(")");
    }
    if !filter.closed_roots.is_empty() {
        query.push(" and namespaces.traversal_ids[1] <> all (").push_bind(filter.closed_roots.clone()).push(")");
    }
    if let Some(search) = &filter.search {
        push_search(query, &["namespaces.name", "namespaces.path"], search);
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, filter: &GroupFilter) {
    let direction = filter.direction.sql();
    query.push(" order by ");
    match filter.order {
        GroupOrder::Name => query.push(format!("namespaces.name {direction}, namespaces.id {direction}")),
        GroupOrder::Path => query.push(format!("namespaces.path {direction}, namespaces.id {direction}")),
        GroupOrder::Id => query.push(format!("namespaces.id {direction}")),
        GroupOrder::Similarity => {
            let search = filter.search.clone().unwrap_or_default().to_lowercase();
            query.push("lower(namespaces.name) <> ").push_bind(search).push(", namespaces.name, namespaces.id")
        }
    };
}

/// A group that something is shared with.
#[derive(Debug, Clone)]
pub struct SharedWithRow {
    /// What is shared: a group or a project.
    pub of: i64,
    /// The other group.
    pub group: i64,
    /// Its name.
    pub name: String,
    /// Its full path.
    pub full_path: String,
    /// What its members get.
    pub level: i32,
    /// The first day on which that is over.
    pub expires_at: Option<NaiveDate>,
}

/// The groups that these groups are shared with.
pub async fn list_shared_with(db: impl PgExecutor<'_>, groups: &[i64]) -> Result<Vec<SharedWithRow>> {
    let rows = sqlx::query_as!(
        SharedWithRow,
        r#"
        select
          links.shared_group_id as of,
          links.shared_with_group_id as "group",
          namespaces.name,
          routes.path as full_path,
          links.group_access::int as "level!",
          links.expires_at
        from group_group_links as links
        join namespaces on namespaces.id = links.shared_with_group_id
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        where links.shared_group_id = any($1)
        order by links.id
        "#,
        groups
    );
    Ok(rows.fetch_all(db).await?)
}

/// The groups that these projects are shared with.
pub async fn list_projects_shared_with(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<SharedWithRow>> {
    let rows = sqlx::query_as!(
        SharedWithRow,
        r#"
        select
          links.project_id as of,
          links.group_id as "group",
          namespaces.name,
          routes.path as full_path,
          links.group_access as level,
          links.expires_at
        from project_group_links as links
        join namespaces on namespaces.id = links.group_id
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        where links.project_id = any($1)
        order by links.id
        "#,
        projects
    );
    Ok(rows.fetch_all(db).await?)
}

/// Which of these groups the user sees.
pub async fn list_seen(db: &Db, user: UserId, open: &[i32], groups: &[i64], today: NaiveDate) -> Result<Vec<i64>> {
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::new("");
    push_reached(&mut query, user, today);
    query.push(" select namespaces.id from namespaces where namespaces.id = any (").push_bind(groups.to_vec());
    query.push(") and (namespaces.visibility_level = any (").push_bind(open.to_vec());
    query.push(") or namespaces.id in (select id from reached))");
    Ok(query.build_query_scalar().fetch_all(db.pool()).await?)
}

/// The root groups that may be used from some addresses alone, each with those that are let in everywhere.
pub async fn list_restricted_roots(db: impl PgExecutor<'_>) -> Result<Vec<(RootNamespace, Vec<IpNet>)>> {
    let rows = sqlx::query!(
        r#"
        select
          group_id,
          array_agg(range::text) as "ranges!",
          (select globally_allowed_ips from application_settings order by id desc limit 1) as globally_allowed
        from ip_restrictions
        group by group_id
        order by group_id
        "#
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| {
            let root = access_facts::root(NamespaceId(row.group_id), None, None, &row.ranges);
            (root, access_facts::globally_allowed(row.globally_allowed.as_deref()))
        })
        .collect())
}
