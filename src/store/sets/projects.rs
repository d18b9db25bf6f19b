//! Projects, their project namespaces and features.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

use super::changes;
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::store::Result;
use crate::store::projects::{FeaturesRow, ProjectRow};

/// A project with its full path, its namespace and its features.
#[derive(Debug, Clone)]
pub struct ProjectRecord {
    /// The row.
    pub row: ProjectRow,
    /// The project namespace.
    pub project_namespace: NamespaceId,
    /// The full path.
    pub path: String,
    /// Who may use which feature; the defaults where nothing was ever said.
    pub features: FeaturesRow,
}

/// The projects of these ids.
pub async fn list(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<ProjectId, ProjectRecord>> {
    let rows = sqlx::query!(
        r#"
        select
          projects.id as "id!",
          projects.project_namespace_id as "project_namespace_id!",
          coalesce(projects.name, '') as "name!",
          coalesce(projects.path, '') as "path!",
          projects.description,
          projects.creator_id,
          projects.namespace_id as "namespace_id!",
          projects.visibility_level as "visibility_level!",
          projects.archived as "archived!",
          projects.hidden as "hidden!",
          projects.repository_storage as "repository_storage!",
          coalesce(projects.repository_read_only, false) as "repository_read_only!",
          projects.repository_size_limit,
          projects.lfs_enabled,
          projects.mirror as "mirror!",
          projects.printing_merge_request_link_enabled as "printing_merge_request_link_enabled!",
          coalesce(routes.path, '') as "full_path!",
          project_features.repository_access_level as "repository_access_level?",
          project_features.wiki_access_level as "wiki_access_level?",
          project_features.snippets_access_level as "snippets_access_level?",
          project_features.issues_access_level as "issues_access_level?",
          project_features.merge_requests_access_level as "merge_requests_access_level?",
          project_features.builds_access_level as "builds_access_level?",
          project_features.forking_access_level as "forking_access_level?",
          project_features.pages_access_level as "pages_access_level?",
          project_features.container_registry_access_level as "container_registry_access_level?",
          project_features.package_registry_access_level as "package_registry_access_level?",
          project_features.security_and_compliance_access_level as "security_and_compliance_access_level?",
          project_features.monitor_access_level as "monitor_access_level?",
          project_features.infrastructure_access_level as "infrastructure_access_level?",
          project_features.operations_access_level as "operations_access_level?"
        from projects
        left join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        left join project_features on project_features.project_id = projects.id
        where projects.id = any($1)
        "#,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let usual = FeaturesRow::default();
            let features = row.repository_access_level.map_or_else(
                || usual.clone(),
                |repository_access_level| FeaturesRow {
                    repository_access_level,
                    wiki_access_level: row.wiki_access_level,
                    snippets_access_level: row.snippets_access_level.unwrap_or(usual.snippets_access_level),
                    issues_access_level: row.issues_access_level,
                    merge_requests_access_level: row.merge_requests_access_level,
                    builds_access_level: row.builds_access_level,
                    forking_access_level: row.forking_access_level,
                    pages_access_level: row.pages_access_level.unwrap_or(usual.pages_access_level),
                    container_registry_access_level: row
                        .container_registry_access_level
                        .unwrap_or(usual.container_registry_access_level),
                    package_registry_access_level: row
                        .package_registry_access_level
                        .unwrap_or(usual.package_registry_access_level),
                    security_and_compliance_access_level: row
                        .security_and_compliance_access_level
                        .unwrap_or(usual.security_and_compliance_access_level),
                    monitor_access_level: row.monitor_access_level.unwrap_or(usual.monitor_access_level),
                    infrastructure_access_level: row
                        .infrastructure_access_level
                        .unwrap_or(usual.infrastructure_access_level),
                    operations_access_level: row.operations_access_level.unwrap_or(usual.operations_access_level),
                },
            );
            let record = ProjectRecord {
                project_namespace: NamespaceId(row.project_namespace_id),
                path: row.full_path,
                features,
                row: ProjectRow {
                    name: row.name,
                    path: row.path,
                    description: row.description,
                    creator_id: row.creator_id,
                    namespace_id: row.namespace_id,
                    visibility_level: row.visibility_level,
                    archived: row.archived,
                    hidden: row.hidden,
                    repository_storage: row.repository_storage,
                    repository_read_only: row.repository_read_only,
                    repository_size_limit: row.repository_size_limit,
                    lfs_enabled: row.lfs_enabled,
                    mirror: row.mirror,
                    printing_merge_request_link_enabled: row.printing_merge_request_link_enabled,
                },
            };
            (ProjectId(row.id), record)
        })
        .collect())
}

#[derive(Debug, Serialize)]
struct ProjectWithIds<'a> {
    id: i64,
    project_namespace_id: i64,
    #[serde(flatten)]
    row: &'a ProjectRow,
}

/// A project's row with its id and that of its project namespace.
pub type PlacedProject = (ProjectId, NamespaceId, ProjectRow);

fn placed(rows: &[PlacedProject]) -> Vec<ProjectWithIds<'_>> {
    rows.iter()
        .map(|(id, namespace, row)| ProjectWithIds { id: id.0, project_namespace_id: namespace.0, row })
        .collect()
}

/// New projects with their project namespaces. Their features and their derived rows are the caller's to write.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a project of the namespace has the name.
pub async fn insert(conn: &mut PgConnection, rows: &[PlacedProject]) -> Result<()> {
    let rows = Json(placed(rows));
    sqlx::query!(
        "
        insert into namespaces (id, type, name, path, parent_id, visibility_level)
        select project_namespace_id, 'Project', name, path, namespace_id, visibility_level
        from jsonb_populate_recordset(null::projects, $1)
        ",
        &rows as _
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        insert into projects (
          id, project_namespace_id, name, path, description, creator_id, namespace_id, visibility_level, archived,
          hidden, repository_storage, repository_read_only, repository_size_limit, lfs_enabled, mirror,
          printing_merge_request_link_enabled, storage_version
        )
        select
          id, project_namespace_id, name, path, description, creator_id, namespace_id, visibility_level, archived,
          hidden, repository_storage, repository_read_only, repository_size_limit, lfs_enabled, mirror,
          printing_merge_request_link_enabled, 2
        from jsonb_populate_recordset(null::projects, $1)
        ",
        &rows as _
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Writes projects' rows, whose names and places stay what they are, and what their project namespaces repeat.
pub async fn update(conn: &mut PgConnection, rows: &[(i64, ProjectRow, ProjectRow)]) -> Result<()> {
    sqlx::query!(
        "
        update projects
        set (
              description, creator_id, visibility_level, archived, hidden, repository_storage,
              repository_read_only, repository_size_limit, lfs_enabled, mirror,
              printing_merge_request_link_enabled
            ) = (
              select
                merged.description, merged.creator_id, merged.visibility_level, merged.archived,
                merged.hidden, merged.repository_storage, merged.repository_read_only,
                merged.repository_size_limit, merged.lfs_enabled, merged.mirror,
                merged.printing_merge_request_link_enabled
              from jsonb_populate_record(projects, stated.changes) as merged
            ),
            updated_at = now() at time zone 'utc'
        from jsonb_to_recordset($1) as stated (id bigint, changes jsonb)
        where projects.id = stated.id
        ",
        Json(changes(rows)) as _
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        update namespaces
        set visibility_level = projects.visibility_level,
            updated_at = now() at time zone 'utc'
        from projects
        where projects.id = any($1)
          and namespaces.id = projects.project_namespace_id
          and namespaces.visibility_level <> projects.visibility_level
        ",
        &rows.iter().map(|(id, _, _)| *id).collect::<Vec<_>>()
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(Debug, Serialize)]
struct FeaturesOfProject<'a> {
    project_id: i64,
    #[serde(flatten)]
    row: &'a FeaturesRow,
}

/// Writes who may use which feature of projects.
pub async fn upsert_features(db: impl PgExecutor<'_>, rows: &[(i64, FeaturesRow)]) -> Result<()> {
    let rows: Vec<_> = rows.iter().map(|(id, row)| FeaturesOfProject { project_id: *id, row }).collect();
    sqlx::query!(
        "
        insert into project_features (
          project_id, repository_access_level, wiki_access_level, snippets_access_level, issues_access_level,
          merge_requests_access_level, builds_access_level, forking_access_level, pages_access_level,
          container_registry_access_level, package_registry_access_level, security_and_compliance_access_level,
          monitor_access_level, infrastructure_access_level, operations_access_level
        )
        select
          project_id, repository_access_level, wiki_access_level, snippets_access_level, issues_access_level,
          merge_requests_access_level, builds_access_level, forking_access_level, pages_access_level,
          container_registry_access_level, package_registry_access_level, security_and_compliance_access_level,
          monitor_access_level, infrastructure_access_level, operations_access_level
        from jsonb_populate_recordset(null::project_features, $1)
        on conflict (project_id) do update
        set repository_access_level = excluded.repository_access_level,
            wiki_access_level = excluded.wiki_access_level,
            snippets_access_level = excluded.snippets_access_level,
            issues_access_level = excluded.issues_access_level,
            merge_requests_access_level = excluded.merge_requests_access_level,
            builds_access_level = excluded.builds_access_level,
            forking_access_level = excluded.forking_access_level,
            pages_access_level = excluded.pages_access_level,
            container_registry_access_level = excluded.container_registry_access_level,
            package_registry_access_level = excluded.package_registry_access_level,
            security_and_compliance_access_level = excluded.security_and_compliance_access_level,
            monitor_access_level = excluded.monitor_access_level,
            infrastructure_access_level = excluded.infrastructure_access_level,
            operations_access_level = excluded.operations_access_level,
            updated_at = now() at time zone 'utc'
        ",
        Json(rows) as _
    )
    .execute(db)
    .await?;
    Ok(())
}
