//! Projects as the public REST API lists and shows them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, Postgres, QueryBuilder};

use super::RestName;
use super::lists::{Direction, ListPart, Listed, MOST_COUNTED, fetch_count, fetch_ids, push_search};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::store::projects::FeaturesRow;
use crate::store::{Db, Result};

/// All that is shown of a project.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "GitLab's names")]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the shape")]
pub struct ProjectShapeRow {
    pub id: i64,
    pub name: String,
    pub path: String,
    pub description: Option<String>,
    pub full_path: String,
    pub full_name: String,
    pub visibility_level: i32,
    pub archived: bool,
    pub creator_id: Option<i64>,
    pub created_at: Option<NaiveDateTime>,
    pub updated_at: Option<NaiveDateTime>,
    pub last_activity_at: Option<NaiveDateTime>,
    pub repository_storage: String,
    pub lfs_enabled: bool,
    pub printing_merge_request_link_enabled: bool,
    pub marked_for_deletion_at: Option<NaiveDate>,
    pub kept_settings: Value,
    pub namespace_id: i64,
    pub namespace_name: String,
    pub namespace_path: String,
    pub namespace_full_path: String,
    pub namespace_parent_id: Option<i64>,
    /// The user whose personal namespace it is in.
    pub owner_id: Option<i64>,
    /// The branch that HEAD names or will name.
    pub default_branch: Option<String>,
    /// Whether nobody has pushed.
    pub empty_repo: bool,
    /// What the caller is to it.
    pub level: i32,
    /// What the caller's own row grants.
    pub project_access: Option<i32>,
    /// What the caller's memberships in groups around it grant.
    pub group_access: Option<i32>,
    pub features: FeaturesRow,
}

/// These projects as this user sees them, in the order of the ids; those that are gone meanwhile are left out.
#[expect(clippy::too_many_lines, reason = "one statement")]
pub async fn list_shapes(
    db: impl PgExecutor<'_>,
    ids: &[i64],
    user: UserId,
    today: NaiveDate,
) -> Result<Vec<ProjectShapeRow>> {
    let rows = sqlx::query!(
        r#"
        select
          projects.id,
          coalesce(projects.name, '') as "name!",
          coalesce(projects.path, '') as "path!",
          projects.description,
          routes.path as full_path,
          coalesce(routes.name, '') as "full_name!",
          projects.visibility_level,
          projects.archived,
          projects.creator_id,
          projects.created_at,
          projects.updated_at,
          projects.last_activity_at,
          projects.repository_storage,
          coalesce(
            projects.lfs_enabled,
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
          projects.printing_merge_request_link_enabled,
          projects.marked_for_deletion_at,
          projects.kept_settings,
          namespaces.id as namespace_id,
          namespaces.name as namespace_name,
          namespaces.path as namespace_path,
          coalesce(namespace_routes.path, namespaces.path) as "namespace_full_path!",
          namespaces.parent_id as namespace_parent_id,
          case when namespaces.type = 'User' then namespaces.owner_id end as "owner_id?",
          coalesce(
            branches.name,
            missing.default_branch,
            (
              select above.default_branch_name
              from namespaces as above_namespaces
              join namespace_settings as above on above.namespace_id = above_namespaces.id
              where above_namespaces.id = any (namespaces.traversal_ids)
                and above.default_branch_name <> ''
              order by cardinality(above_namespaces.traversal_ids) desc
              limit 1
            ),
            (select nullif(default_branch_name, '') from application_settings order by id desc limit 1),
            'main'
          ) as "default_branch?",
          projects.last_repository_updated_at is null and not coalesce(branches.born, false) as "empty_repo!",
          coalesce(
            greatest(
              case when namespaces.type = 'User' and namespaces.owner_id = $2 then 50 end,
              (
                select max(project_authorizations.access_level)
                from project_authorizations
                where project_authorizations.project_id = projects.id
                  and project_authorizations.user_id = $2
              )
            ),
            0
          ) as "level!",
          (
            select members.access_level
            from members
            where members.source_type = 'Project'
              and members.source_id = projects.id
              and members.user_id = $2
              and gatehouse_is_active_member(members, $3)
          ) as project_access,
          (
            select max(members.access_level)
            from members
            where members.source_type = 'Namespace'
              and members.source_id = any (namespaces.traversal_ids)
              and members.user_id = $2
              and gatehouse_is_active_member(members, $3)
          ) as group_access,
          features.repository_access_level as "repository?",
          features.wiki_access_level as "wiki?",
          features.snippets_access_level as "snippets?",
          features.issues_access_level as "issues?",
          features.merge_requests_access_level as "merge_requests?",
          features.builds_access_level as "builds?",
          features.forking_access_level as "forking?",
          features.pages_access_level as "pages?",
          features.container_registry_access_level as "container_registry?",
          features.package_registry_access_level as "package_registry?",
          features.security_and_compliance_access_level as "security_and_compliance?",
          features.monitor_access_level as "monitor?",
          features.infrastructure_access_level as "infrastructure?",
          features.operations_access_level as "operations?"
        from unnest($1::bigint[]) with ordinality as wanted (id, place)
        join projects on projects.id = wanted.id
        join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        join namespaces on namespaces.id = projects.namespace_id
        left join routes as namespace_routes
          on namespace_routes.source_type = 'Namespace'
          and namespace_routes.source_id = namespaces.id
        left join project_features as features on features.project_id = projects.id
        left join project_default_branches as branches on branches.project_id = projects.id
        left join missing_repositories as missing on missing.project_id = projects.id
        order by wanted.place
        "#,
        ids,
        user.0,
        today
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let usual = FeaturesRow::default();
    Ok(rows
        .map(|row| ProjectShapeRow {
            features: FeaturesRow {
                repository_access_level: row.repository.unwrap_or(usual.repository_access_level),
                wiki_access_level: row.wiki,
                snippets_access_level: row.snippets.unwrap_or(usual.snippets_access_level),
                issues_access_level: row.issues,
                merge_requests_access_level: row.merge_requests,
                builds_access_level: row.builds,
                forking_access_level: row.forking,
                pages_access_level: row.pages.unwrap_or(usual.pages_access_level),
                container_registry_access_level: row
                    .container_registry
                    .unwrap_or(usual.container_registry_access_level),
                package_registry_access_level: row.package_registry.unwrap_or(usual.package_registry_access_level),
                security_and_compliance_access_level: row
                    .security_and_compliance
                    .unwrap_or(usual.security_and_compliance_access_level),
                monitor_access_level: row.monitor.unwrap_or(usual.monitor_access_level),
                infrastructure_access_level: row.infrastructure.unwrap_or(usual.infrastructure_access_level),
                operations_access_level: row.operations.unwrap_or(usual.operations_access_level),
            },
            id: row.id,
            name: row.name,
            path: row.path,
            description: row.description,
            full_path: row.full_path,
            full_name: row.full_name,
            visibility_level: row.visibility_level,
            archived: row.archived,
            creator_id: row.creator_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_activity_at: row.last_activity_at,
            repository_storage: row.repository_storage,
            lfs_enabled: row.lfs_enabled,
            printing_merge_request_link_enabled: row.printing_merge_request_link_enabled,
            marked_for_deletion_at: row.marked_for_deletion_at,
            kept_settings: row.kept_settings,
            namespace_id: row.namespace_id,
            namespace_name: row.namespace_name,
            namespace_path: row.namespace_path,
            namespace_full_path: row.namespace_full_path,
            namespace_parent_id: row.namespace_parent_id,
            owner_id: row.owner_id,
            default_branch: row.default_branch,
            empty_repo: row.empty_repo,
            level: row.level,
            project_access: row.project_access,
            group_access: row.group_access,
        })
        .collect())
}

/// What a list of projects is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProjectOrder {
    /// When they were made.
    #[default]
    CreatedAt,
    /// The id.
    Id,
    /// The name.
    Name,
    /// The last part of the path.
    Path,
    /// When their rows changed last.
    UpdatedAt,
    /// When something happened in them last.
    LastActivityAt,
    /// Those first whose name is what is searched for.
    Similarity,
}

/// In which groups a list looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProjectScope {
    /// Everywhere.
    #[default]
    Everywhere,
    /// In the namespaces of this group, and in what is shared with it.
    Group {
        /// The group.
        group: NamespaceId,
        /// And in those below it.
        below: bool,
        /// And in those around it.
        around: bool,
        /// And in what is shared with it.
        shared: bool,
    },
    /// In what is shared with a group.
    SharedWith(NamespaceId),
    /// In the personal namespace of a user.
    Personal(UserId),
}

/// Which projects are listed.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "GitLab's names of the parameters")]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub struct ProjectFilter {
    /// Whose list it is.
    pub user: i64,
    /// All projects count as seen.
    pub all: bool,
    /// Those of these visibilities are seen, whether reached or not.
    pub open: Vec<i32>,
    /// Those alone in which the user has this level at least.
    pub least_level: Option<i32>,
    pub scope: ProjectScope,
    pub visibility: Option<i32>,
    pub archived: Option<bool>,
    pub search: Option<String>,
    /// The search is in full paths too.
    pub search_namespaces: bool,
    pub id_after: Option<i64>,
    pub id_before: Option<i64>,
    pub last_activity_after: Option<DateTime<Utc>>,
    pub last_activity_before: Option<DateTime<Utc>>,
    pub updated_after: Option<DateTime<Utc>>,
    pub updated_before: Option<DateTime<Utc>>,
    pub with_issues_enabled: Option<bool>,
    pub with_merge_requests_enabled: Option<bool>,
    pub repository_storage: Option<String>,
    pub include_pending_delete: bool,
    /// Nothing matches.
    pub nothing: bool,
    /// All of them, whatever their case.
    pub topics: Vec<String>,
    /// But what is in these root groups.
    pub closed_roots: Vec<i64>,
    pub order: ProjectOrder,
    pub direction: Direction,
}

/// The ids of the projects on a part of the list.
pub async fn list(db: &Db, filter: &ProjectFilter, part: ListPart) -> Result<Listed> {
    let mut query = QueryBuilder::new("select count(*) from (select ");
    push_source(&mut query, filter, SightForm::ForAll);
    query.push(" limit ").push(MOST_COUNTED + 1).push(") as counted");
    let total = fetch_count(db, &mut query).await?;
    let mut query = QueryBuilder::new("select projects.id ");
    push_source(&mut query, filter, if total > MOST_COUNTED { SightForm::ForSome } else { SightForm::ForAll });
    push_order(&mut query, filter);
    part.push(&mut query);
    Ok(Listed { ids: fetch_ids(db, &mut query).await?, total })
}

/// The same without counting the others, for pages by key.
pub async fn list_by_key(db: &Db, filter: &ProjectFilter, limit: i64) -> Result<Vec<i64>> {
    let mut query = QueryBuilder::new("select projects.id ");
    push_source(&mut query, filter, SightForm::ForSome);
    push_order(&mut query, filter);
    query.push(" limit ").push(limit);
    fetch_ids(db, &mut query).await
}

/// How the projects are named that somebody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SightForm {
    /// Looked at one by one in the order of the list, until the page is full: for those who see so many that it soon is.
    ForSome,
    /// Gathered from indexes.
    ForAll,
}

fn push_source(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter, form: SightForm) {
    query.push(" from projects");
    if matches!(filter.scope, ProjectScope::Personal(_)) || !filter.closed_roots.is_empty() {
        query.push(" join namespaces as home on home.id = projects.namespace_id");
    }
    if filter.search_namespaces && filter.search.is_some() {
        query.push(" join routes on routes.source_type = 'Project' and routes.source_id = projects.id");
    }
    query.push(" where not projects.hidden");
    if !filter.include_pending_delete {
        query.push(" and projects.pending_delete is not true");
    }
    if filter.nothing {
        query.push(" and false");
    }
    push_sight(query, filter, form);
    push_scope(query, filter);
    push_values(query, filter);
    push_times(query, filter);
    if let Some(search) = &filter.search {
        let own = ["projects.name", "projects.path", "projects.description"];
        let full = ["projects.name", "projects.path", "projects.description", "routes.path"];
        push_search(query, if filter.search_namespaces { &full[..] } else { &own[..] }, search);
    }
}

fn push_sight(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter, form: SightForm) {
    let authorized = "projects.id in (select project_id from project_authorizations where user_id = ";
    if let Some(level) = filter.least_level {
        query.push(" and ").push(authorized).push_bind(filter.user);
        query.push(" and access_level >= ").push_bind(level).push(")");
    } else if !filter.all && !filter.open.is_empty() && form == SightForm::ForAll {
        query.push(" and ").push(authorized).push_bind(filter.user);
        // Beside it the index's own condition, which the planner does not find in an array.
        query.push(" union select id from projects where visibility_level > 0 and visibility_level = any (");
        query.push_bind(filter.open.clone()).push("))");
    } else if !filter.all {
        query.push(" and (").push(authorized).push_bind(filter.user).push(")");
        if !filter.open.is_empty() {
            query.push(" or projects.visibility_level = any (").push_bind(filter.open.clone()).push(")");
        }
        query.push(")");
    }
    if !filter.closed_roots.is_empty() {
        query.push(" and home.traversal_ids[1] <> all (").push_bind(filter.closed_roots.clone()).push(")");
    }
}

fn push_scope(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter) {
    match filter.scope {
        ProjectScope::Everywhere => {}
        ProjectScope::Personal(user) => {
            query.push(" and home.type = 'User' and home.owner_id = ").push_bind(user.0);
        }
        ProjectScope::SharedWith(group) => {
            query.push(" and projects.id in (select project_id from project_group_links where group_id = ");
            query.push_bind(group.0).push(")");
        }
        ProjectScope::Group { group, below, around, shared } => {
            // Ids, for each of these ways to them has an index.
            query.push(
                " and projects.id in (
                   select id from projects
                   where namespace_id = any (array(select id from namespaces where id = ",
            );
            query.push_bind(group.0);
            if below {
                query.push(" or traversal_ids @> array[").push_bind(group.0).push("::bigint]");
            }
            if around {
                query.push(" or id = any (array(select unnest(traversal_ids) from namespaces where id = ");
                query.push_bind(group.0).push("))");
            }
            query.push("))");
            if shared {
                query.push(" union all select project_id from project_group_links where group_id = ");
                query.push_bind(group.0);
            }
            query.push(")");
        }
    }
}

fn push_values(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter) {
    if let Some(level) = filter.visibility {
        query.push(" and projects.visibility_level = ").push_bind(level);
    }
    if let Some(archived) = filter.archived {
        query.push(" and projects.archived = ").push_bind(archived);
    }
    if let Some(id) = filter.id_after {
        query.push(" and projects.id > ").push_bind(id);
    }
    if let Some(id) = filter.id_before {
        query.push(" and projects.id < ").push_bind(id);
    }
    if let Some(storage) = &filter.repository_storage {
        query.push(" and projects.repository_storage = ").push_bind(storage.clone());
    }
    if !filter.topics.is_empty() {
        // Those with topics have an index, and are few.
        query.push(" and projects.kept_settings ? 'topics' and not exists (select from unnest(");
        query.push_bind(filter.topics.clone());
        query.push(
            "::text[]) as wanted
             where not exists (
               select
               from jsonb_array_elements_text(projects.kept_settings -> 'topics') as topic
               where lower(topic) = lower(wanted)))",
        );
    }
    let features = [
        ("issues_access_level", filter.with_issues_enabled),
        ("merge_requests_access_level", filter.with_merge_requests_enabled),
    ];
    for (column, wanted) in features.into_iter().filter_map(|(column, wanted)| Some((column, wanted?))) {
        query.push(format!(
            " and exists (select from project_features where project_id = projects.id and coalesce({column}, 20) > 0) = "
        ));
        query.push_bind(wanted);
    }
}

fn push_times(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter) {
    let bounds = [
        ("last_activity_at", ">", filter.last_activity_after),
        ("last_activity_at", "<", filter.last_activity_before),
        ("updated_at", ">", filter.updated_after),
        ("updated_at", "<", filter.updated_before),
    ];
    for (column, operator, bound) in bounds {
        if let Some(bound) = bound {
            query.push(format!(" and projects.{column} {operator} ")).push_bind(bound.naive_utc());
        }
    }
}

fn push_order(query: &mut QueryBuilder<Postgres>, filter: &ProjectFilter) {
    let direction = filter.direction.sql();
    query.push(" order by ");
    let column = match filter.order {
        ProjectOrder::CreatedAt => "created_at",
        ProjectOrder::Id => {
            query.push(format!("projects.id {direction}"));
            return;
        }
        ProjectOrder::Name => "name",
        ProjectOrder::Path => "path",
        ProjectOrder::UpdatedAt => "updated_at",
        ProjectOrder::LastActivityAt => "last_activity_at",
        ProjectOrder::Similarity => {
            let search = filter.search.clone().unwrap_or_default().to_lowercase();
            query.push("lower(projects.name) <> ").push_bind(search).push(", projects.name, projects.id");
            return;
        }
    };
    query.push(format!("projects.{column} {direction}, projects.id {direction}"));
}

/// The groups that a project is in, the outermost first, and behind them those that it is shared with.
pub async fn list_groups_around(db: impl PgExecutor<'_>, project: ProjectId, shared: bool) -> Result<Vec<i64>> {
    let ids = sqlx::query_scalar!(
        r#"
        select around.id as "id!"
        from (
          select groups.id, false as shared, cardinality(groups.traversal_ids) as depth
          from projects
          join namespaces as home on home.id = projects.namespace_id
          join namespaces as groups on groups.id = any (home.traversal_ids) and groups.type = 'Group'
          where projects.id = $1
          union all
          select group_id, true, 0
          from project_group_links
          where project_id = $1
            and $2
        ) as around
        order by around.shared, around.depth, around.id
        "#,
        project.0,
        shared
    );
    Ok(ids.fetch_all(db).await?)
}

/// The personal namespace of that id or path; of this user alone, where one is named.
pub async fn find_personal_namespace(
    db: impl PgExecutor<'_>,
    name: &RestName,
    owner: Option<UserId>,
) -> Result<Option<NamespaceId>> {
    let id = sqlx::query_scalar!(
        "
        select namespaces.id
        from namespaces
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        where namespaces.type = 'User'
          and (namespaces.id = $1 or lower(routes.path) = lower($2))
          and ($3::bigint is null or namespaces.owner_id = $3)
        ",
        name.id(),
        name.path(),
        owner.map(|user| user.0)
    );
    Ok(id.fetch_optional(db).await?.map(NamespaceId))
}
