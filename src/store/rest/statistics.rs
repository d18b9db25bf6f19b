//! How much room projects and groups take, as the public REST API tells it: in bytes, as far as it was measured.

use std::collections::HashMap;

use sqlx::PgExecutor;

use crate::store::Result;

/// The room that something takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "GitLab's names")]
pub struct StatisticsRow {
    pub commit_count: i64,
    pub storage_size: i64,
    pub repository_size: i64,
    pub wiki_size: i64,
    pub lfs_objects_size: i64,
    pub job_artifacts_size: i64,
    pub pipeline_artifacts_size: i64,
    pub packages_size: i64,
    pub snippets_size: i64,
    pub uploads_size: i64,
    pub container_registry_size: i64,
}

/// What these projects take, of those that were measured.
pub async fn list_of_projects(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<i64, StatisticsRow>> {
    let rows = sqlx::query!(
        r#"
        select
          project_id,
          commit_count,
          storage_size,
          repository_size,
          coalesce(wiki_size, 0) as "wiki_size!",
          lfs_objects_size,
          build_artifacts_size,
          pipeline_artifacts_size,
          packages_size,
          coalesce(snippets_size, 0) as "snippets_size!",
          uploads_size,
          container_registry_size
        from project_statistics
        where project_id = any($1)
        "#,
        ids
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| {
            let statistics = StatisticsRow {
                commit_count: row.commit_count,
                storage_size: row.storage_size,
                repository_size: row.repository_size,
                wiki_size: row.wiki_size,
                lfs_objects_size: row.lfs_objects_size,
                job_artifacts_size: row.build_artifacts_size,
                pipeline_artifacts_size: row.pipeline_artifacts_size,
                packages_size: row.packages_size,
                snippets_size: row.snippets_size,
                uploads_size: row.uploads_size,
                container_registry_size: row.container_registry_size,
            };
            (row.project_id, statistics)
        })
        .collect())
}

/// What all that is in these groups takes.
pub async fn list_of_groups(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<i64, StatisticsRow>> {
    let rows = sqlx::query!(
        r#"
        select
          wanted.id as "id!",
          coalesce(sum(statistics.storage_size), 0)::bigint as "storage_size!",
          coalesce(sum(statistics.repository_size), 0)::bigint as "repository_size!",
          coalesce(sum(statistics.wiki_size), 0)::bigint as "wiki_size!",
          coalesce(sum(statistics.lfs_objects_size), 0)::bigint as "lfs_objects_size!",
          coalesce(sum(statistics.build_artifacts_size), 0)::bigint as "job_artifacts_size!",
          coalesce(sum(statistics.pipeline_artifacts_size), 0)::bigint as "pipeline_artifacts_size!",
          coalesce(sum(statistics.packages_size), 0)::bigint as "packages_size!",
          coalesce(sum(statistics.snippets_size), 0)::bigint as "snippets_size!",
          coalesce(sum(statistics.uploads_size), 0)::bigint as "uploads_size!"
        from unnest($1::bigint[]) as wanted (id)
        left join namespaces on namespaces.traversal_ids @> array[wanted.id] and namespaces.type = 'Group'
        left join project_statistics as statistics on statistics.namespace_id = namespaces.id
        group by wanted.id
        "#,
        ids
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| {
            let statistics = StatisticsRow {
                storage_size: row.storage_size,
                repository_size: row.repository_size,
                wiki_size: row.wiki_size,
                lfs_objects_size: row.lfs_objects_size,
                job_artifacts_size: row.job_artifacts_size,
                pipeline_artifacts_size: row.pipeline_artifacts_size,
                packages_size: row.packages_size,
                snippets_size: row.snippets_size,
                uploads_size: row.uploads_size,
                ..StatisticsRow::default()
            };
            (row.id, statistics)
        })
        .collect())
}
