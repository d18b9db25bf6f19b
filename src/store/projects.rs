//! Projects, their project namespaces, features and repositories.

use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::domain::repository::hashed_path;

/// What an operator states about a project. Serialized, its keys are the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct ProjectRow {
    /// `projects.name`
    pub name: String,
    /// `projects.path`, the last part
    pub path: String,
    /// `projects.description`
    pub description: Option<String>,
    /// `projects.creator_id`
    pub creator_id: Option<i64>,
    /// `projects.namespace_id`
    pub namespace_id: i64,
    /// `projects.visibility_level`
    pub visibility_level: i32,
    /// `projects.archived`
    pub archived: bool,
    /// `projects.hidden`
    pub hidden: bool,
    /// `projects.repository_storage`
    pub repository_storage: String,
    /// `projects.repository_read_only`
    pub repository_read_only: bool,
    /// `projects.repository_size_limit`
    pub repository_size_limit: Option<i64>,
    /// `projects.lfs_enabled`
    pub lfs_enabled: Option<bool>,
    /// `projects.mirror`
    pub mirror: bool,
    /// `projects.printing_merge_request_link_enabled`
    pub printing_merge_request_link_enabled: bool,
}

impl ProjectRow {
    /// A project in this namespace of which nothing else was said.
    #[must_use]
    pub fn new(namespace: NamespaceId, storage: &str, visibility_level: i32) -> Self {
        Self {
            namespace_id: namespace.0,
            repository_storage: storage.to_owned(),
            visibility_level,
            printing_merge_request_link_enabled: true,
            ..Self::default()
        }
    }
}

/// Writes the project's name and place, which its project namespace repeats. Its derived rows are the caller's to refresh.
///
/// # Errors
/// [`super::Error::Duplicate`] where a project of the namespace has the name.
pub async fn move_project(conn: &mut PgConnection, id: ProjectId, row: &ProjectRow) -> Result<()> {
    sqlx::query!(
        "
        update projects
        set name = $2,
            path = $3,
            namespace_id = $4,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id.0,
        row.name,
        row.path,
        row.namespace_id
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        update namespaces
        set name = projects.name,
            path = projects.path,
            parent_id = projects.namespace_id,
            updated_at = now() at time zone 'utc'
        from projects
        where projects.id = $1
          and namespaces.id = projects.project_namespace_id
        ",
        id.0
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Removes projects and the rows that are theirs alone, private deploy keys included.
pub async fn delete(conn: &mut PgConnection, ids: &[i64]) -> Result<()> {
    let deploy_keys =
        sqlx::query_scalar!("delete from deploy_keys_projects where project_id = any($1) returning deploy_key_id", ids)
            .fetch_all(&mut *conn)
            .await?;
    super::keys::delete_unused_deploy_keys(&mut *conn, &deploy_keys).await?;
    sqlx::query!("delete from project_repositories where project_id = any($1)", ids).execute(&mut *conn).await?;
    // The project's row goes with its shadow, and the rest with the project's.
    sqlx::query!(
        "delete from namespaces where id in (select project_namespace_id from projects where projects.id = any($1))",
        ids
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Who may use which feature, as GitLab's numbers. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names of the columns say it")]
pub struct FeaturesRow {
    pub repository_access_level: i32,
    pub wiki_access_level: Option<i32>,
    pub snippets_access_level: i32,
    pub issues_access_level: Option<i32>,
    pub merge_requests_access_level: Option<i32>,
    pub builds_access_level: Option<i32>,
    pub forking_access_level: Option<i32>,
    pub pages_access_level: i32,
    pub container_registry_access_level: i32,
    pub package_registry_access_level: i32,
    pub security_and_compliance_access_level: i32,
    pub monitor_access_level: i32,
    pub infrastructure_access_level: i32,
    pub operations_access_level: i32,
}

impl Default for FeaturesRow {
    fn default() -> Self {
        Self {
            repository_access_level: 20,
            wiki_access_level: Some(20),
            snippets_access_level: 20,
            issues_access_level: Some(20),
            merge_requests_access_level: Some(20),
            builds_access_level: Some(20),
            forking_access_level: Some(20),
            pages_access_level: 20,
            container_registry_access_level: 0,
            package_registry_access_level: 0,
            security_and_compliance_access_level: 10,
            monitor_access_level: 20,
            infrastructure_access_level: 20,
            operations_access_level: 20,
        }
    }
}

/// Writes that the project's repository exists on that storage, where hashed storage keeps it.
pub async fn upsert_repository(conn: &mut PgConnection, id: ProjectId, storage: &str) -> Result<()> {
    sqlx::query!("insert into shards (name) values ($1) on conflict (name) do nothing", storage)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into project_repositories (project_id, shard_id, disk_path)
        select $1, shards.id, $3
        from shards
        where shards.name = $2
        on conflict (project_id) do update
        set shard_id = excluded.shard_id
        ",
        id.0,
        storage,
        hashed_path("@hashed", id.0)
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Writes that the project has a wiki repository.
pub async fn insert_wiki_repository(db: impl PgExecutor<'_>, id: ProjectId) -> Result<()> {
    sqlx::query!(
        "insert into project_wiki_repositories (project_id) values ($1) on conflict (project_id) do nothing",
        id.0
    )
    .execute(db)
    .await?;
    Ok(())
}
