//! Projects as administrators see them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// A project, in the list.
#[derive(Debug, Clone, FromRow)]
pub struct ProjectRow {
    /// Its id.
    pub id: i64,
    /// Its full path.
    pub path: String,
    /// The number of its visibility.
    pub visibility_level: i32,
    /// Whether it is archived.
    pub archived: bool,
    /// The storage that holds it.
    pub storage: String,
    /// Bytes of its repository.
    pub repository_size: Option<i64>,
    /// What the list is sorted by.
    pub sort_key: String,
    /// What makes that unique.
    pub sort_id: i64,
}

impl ProjectRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Text(self.sort_key.clone()), KeyValue::Number(self.sort_id)]
    }
}

/// How paths of groups and projects are sorted.
pub(super) const BY_PATH: KeyOrder =
    KeyOrder { columns: &[r#"lower(routes.path) collate "C""#, "routes.id"], descending: false };

const BY_NAME: KeyOrder =
    KeyOrder { columns: &[r#"lower(projects.path) collate "C""#, "projects.id"], descending: false };

/// A page of the projects whose path begins so: with a slash the full path, or else its last part. All of them are sorted
/// by their full paths.
pub async fn list(db: &Db, search: &str, request: &PageRequest) -> Result<Page<ProjectRow>> {
    let order = if search.is_empty() || search.contains('/') { BY_PATH } else { BY_NAME };
    let (key, id) = (order.columns[0], order.columns[1]);
    let mut select = QueryBuilder::new(format!(
        "select projects.id, routes.path, visibility_level, archived, repository_storage as storage, repository_size,
           {key} as sort_key, {id} as sort_id
         from routes
         join projects on projects.id = routes.source_id
         left join project_statistics on project_statistics.project_id = projects.id
         where routes.source_type = 'Project'"
    ));
    if !search.is_empty() {
        paging::push_prefix(&mut select, key, search);
    }
    paging::fetch(db, select, order, request).await
}

/// A project, in detail.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct ProjectDetail {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its full path.
    pub path: String,
    /// The group or the personal namespace around it.
    pub namespace_id: i64,
    /// That one's path.
    pub namespace_path: String,
    /// Whether that is a group.
    pub in_group: bool,
    /// The number of its visibility.
    pub visibility_level: i32,
    /// Whether it is archived.
    pub archived: bool,
    /// Whether it is being removed.
    pub pending_delete: bool,
    /// Whether its repository takes no writes.
    pub read_only: bool,
    /// The storage that holds it.
    pub storage: String,
    /// Its path there.
    pub disk_path: Option<String>,
    /// Its default branch.
    pub default_branch: Option<String>,
    /// Whether its repository is still to be made.
    pub missing: bool,
    /// Bytes of its repository.
    pub repository_size: Option<i64>,
    /// Bytes of its LFS objects.
    pub lfs_size: Option<i64>,
    /// How many LFS objects it has.
    pub lfs_objects: i64,
    /// Bytes that it may have.
    pub size_limit: Option<i64>,
    /// Who made it.
    pub creator: Option<String>,
    /// When it was made.
    pub created_at: Option<NaiveDateTime>,
    /// When its repository was written last.
    pub pushed_at: Option<NaiveDateTime>,
}

/// The project with that id.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<ProjectDetail>> {
    let row = sqlx::query_as!(
        ProjectDetail,
        r#"
        select
          projects.id,
          coalesce(projects.name, '') as "name!",
          coalesce(own.path, '') as "path!",
          projects.namespace_id,
          coalesce(around.path, '') as "namespace_path!",
          namespaces.type = 'Group' as "in_group!",
          projects.visibility_level,
          projects.archived,
          coalesce(projects.pending_delete, false) as "pending_delete!",
          coalesce(projects.repository_read_only, false) as "read_only!",
          projects.repository_storage as storage,
          project_repositories.disk_path as "disk_path?",
          project_default_branches.name as "default_branch?",
          exists (select from missing_repositories where project_id = projects.id) as "missing!",
          project_statistics.repository_size as "repository_size?",
          project_statistics.lfs_objects_size as "lfs_size?",
          (
            select count(distinct lfs_object_id)
            from lfs_objects_projects
            where lfs_objects_projects.project_id = projects.id
          ) as "lfs_objects!",
          projects.repository_size_limit as size_limit,
          (select username from users where users.id = projects.creator_id) as creator,
          projects.created_at,
          projects.last_repository_updated_at as pushed_at
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        left join routes as own on own.source_type = 'Project' and own.source_id = projects.id
        left join routes as around on around.source_type = 'Namespace' and around.source_id = projects.namespace_id
        left join project_repositories on project_repositories.project_id = projects.id
        left join project_default_branches on project_default_branches.project_id = projects.id
        left join project_statistics on project_statistics.project_id = projects.id
        where projects.id = $1
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?)
}

/// Who may do something with a project, and how much in all.
#[derive(Debug, Clone, FromRow)]
pub struct ProjectMember {
    /// Whose level it is.
    pub user_id: i64,
    /// Their username.
    pub username: String,
    /// The state of their account.
    pub state: String,
    /// How much they may do.
    pub access_level: i32,
    /// How much of it a membership of the project itself gives.
    pub own_level: Option<i32>,
}

impl ProjectMember {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.user_id)]
    }
}

/// A page of those who may do something with a project: what memberships, groups and shares add up to.
pub async fn list_members(
    db: &Db,
    project: i64,
    today: NaiveDate,
    request: &PageRequest,
) -> Result<Page<ProjectMember>> {
    let mut select = QueryBuilder::new(
        "select project_authorizations.user_id, coalesce(username, '') as username, state,
           project_authorizations.access_level,
           (
             select members.access_level
             from members
             where members.source_type = 'Project'
               and members.source_id = project_authorizations.project_id
               and members.user_id = project_authorizations.user_id
               and gatehouse_is_active_member(members, $1)
           ) as own_level
         from project_authorizations
         join users on users.id = project_authorizations.user_id
         where $1 = ",
    );
    select.push_bind(today).push(" and project_authorizations.project_id = ").push_bind(project);
    let order = KeyOrder { columns: &["project_authorizations.user_id"], descending: false };
    paging::fetch(db, select, order, request).await
}

/// A protected branch or tag, and who may pass.
#[derive(Debug, Clone)]
pub struct ProtectedRefDetail {
    /// Its name, or a pattern.
    pub name: String,
    /// Who may push, or make tags.
    pub push: String,
    /// Who may merge.
    pub merge: String,
    /// Whether pushes may rewrite it.
    pub force_push: bool,
}

/// The protected branches of a project.
pub async fn list_protected_branches(db: impl PgExecutor<'_>, project: i64) -> Result<Vec<ProtectedRefDetail>> {
    let rows = sqlx::query_as!(
        ProtectedRefDetail,
        r#"
        select
          name,
          allow_force_push as force_push,
          coalesce(
            (
              select string_agg(
                coalesce(
                  'user ' || users.username, 'group ' || routes.path, 'deploy key ' || keys.title,
                  case rows.access_level
                    when 0 then 'nobody' when 30 then 'developers' when 40 then 'maintainers' when 60 then 'administrators'
                    else 'level ' || rows.access_level
                  end
                ),
                ', ' order by rows.id
              )
              from protected_branch_push_access_levels as rows
              left join users on users.id = rows.user_id
              left join routes on routes.source_type = 'Namespace' and routes.source_id = rows.group_id
              left join keys on keys.id = rows.deploy_key_id
              where rows.protected_branch_id = protected_branches.id
            ),
            'nobody'
          ) as "push!",
          coalesce(
            (
              select string_agg(
                coalesce(
                  'user ' || users.username, 'group ' || routes.path,
                  case rows.access_level
                    when 0 then 'nobody' when 30 then 'developers' when 40 then 'maintainers' when 60 then 'administrators'
                    else 'level ' || rows.access_level
                  end
                ),
                ', ' order by rows.id
              )
              from protected_branch_merge_access_levels as rows
              left join users on users.id = rows.user_id
              left join routes on routes.source_type = 'Namespace' and routes.source_id = rows.group_id
              where rows.protected_branch_id = protected_branches.id
            ),
            'nobody'
          ) as "merge!"
        from protected_branches
        where project_id = $1
        order by id
        limit 200
        "#,
        project
    );
    Ok(rows.fetch_all(db).await?)
}

/// The protected tags of a project.
pub async fn list_protected_tags(db: impl PgExecutor<'_>, project: i64) -> Result<Vec<ProtectedRefDetail>> {
    let rows = sqlx::query_as!(
        ProtectedRefDetail,
        r#"
        select
          name,
          false as "force_push!",
          '' as "merge!",
          coalesce(
            (
              select string_agg(
                coalesce(
                  'user ' || users.username, 'group ' || routes.path, 'deploy key ' || keys.title,
                  case rows.access_level
                    when 0 then 'nobody' when 30 then 'developers' when 40 then 'maintainers' when 60 then 'administrators'
                    else 'level ' || rows.access_level
                  end
                ),
                ', ' order by rows.id
              )
              from protected_tag_create_access_levels as rows
              left join users on users.id = rows.user_id
              left join routes on routes.source_type = 'Namespace' and routes.source_id = rows.group_id
              left join keys on keys.id = rows.deploy_key_id
              where rows.protected_tag_id = protected_tags.id
            ),
            'nobody'
          ) as "push!"
        from protected_tags
        where project_id = $1
        order by id
        limit 200
        "#,
        project
    );
    Ok(rows.fetch_all(db).await?)
}

/// A deploy key of a project.
#[derive(Debug, Clone)]
pub struct DeployKeyDetail {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub title: String,
    /// Its SHA-256, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Whether it pushes.
    pub can_push: bool,
    /// When it was last used.
    pub last_used_at: Option<NaiveDateTime>,
    /// Its end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The deploy keys of a project.
pub async fn list_deploy_keys(db: impl PgExecutor<'_>, project: i64) -> Result<Vec<DeployKeyDetail>> {
    let rows = sqlx::query_as!(
        DeployKeyDetail,
        r#"
        select
          keys.id,
          coalesce(title, '') as "title!",
          coalesce('SHA256:' || rtrim(encode(fingerprint_sha256, 'base64'), '='), '') as "fingerprint!",
          can_push,
          last_used_at,
          expires_at
        from deploy_keys_projects
        join keys on keys.id = deploy_keys_projects.deploy_key_id
        where deploy_keys_projects.project_id = $1
        order by keys.id
        limit 200
        "#,
        project
    );
    Ok(rows.fetch_all(db).await?)
}

/// A file that somebody has locked.
#[derive(Debug, Clone)]
pub struct FileLockDetail {
    /// Its path.
    pub path: String,
    /// Who has it.
    pub user_id: i64,
    /// Their username.
    pub username: String,
    /// Since when.
    pub locked_at: NaiveDateTime,
}

/// The files of a project that are locked, first those that have been for longest.
pub async fn list_file_locks(db: impl PgExecutor<'_>, project: i64) -> Result<Vec<FileLockDetail>> {
    let rows = sqlx::query_as!(
        FileLockDetail,
        r#"
        select
          coalesce(locks.path, '') as "path!",
          locks.user_id,
          coalesce(users.username, '') as "username!",
          locks.created_at as locked_at
        from lfs_file_locks as locks
        join users on users.id = locks.user_id
        where locks.project_id = $1
        order by locks.id
        limit 200
        "#,
        project
    );
    Ok(rows.fetch_all(db).await?)
}

/// A group that a project or a group is shared with, or one that shares itself.
#[derive(Debug, Clone)]
pub struct ShareDetail {
    /// The other group.
    pub group_id: i64,
    /// Its path.
    pub path: String,
    /// The level that is not exceeded.
    pub access_level: i32,
    /// The day from which on it is over.
    pub expires_at: Option<NaiveDate>,
}

/// The groups that a project is shared with.
pub async fn list_shares(db: impl PgExecutor<'_>, project: i64) -> Result<Vec<ShareDetail>> {
    let rows = sqlx::query_as!(
        ShareDetail,
        r#"
        select group_id, coalesce(routes.path, '') as "path!", group_access as access_level, expires_at
        from project_group_links
        left join routes on routes.source_type = 'Namespace' and routes.source_id = group_id
        where project_id = $1
        order by project_group_links.id
        limit 200
        "#,
        project
    );
    Ok(rows.fetch_all(db).await?)
}
