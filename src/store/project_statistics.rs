//! How much room projects take, in bytes.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// Keeps what a project's repository was measured to take, its wiki where it has one, its LFS objects of now, and the
/// sum of everything.
pub async fn upsert(db: impl PgExecutor<'_>, project: ProjectId, repository: u64, wiki: Option<u64>) -> Result<()> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    sqlx::query!(
        "
        insert into project_statistics as known (
          project_id, namespace_id, root_namespace_id, repository_size, wiki_size, lfs_objects_size, storage_size
        )
        select
          projects.id,
          projects.namespace_id,
          namespaces.traversal_ids[1],
          $2::bigint,
          $3::bigint,
          lfs.size,
          $2::bigint + coalesce($3::bigint, 0) + lfs.size
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        cross join (
          select coalesce(sum(size), 0)::bigint as size
          from lfs_objects
          where id in (select lfs_object_id from lfs_objects_projects where project_id = $1)
        ) as lfs
        where projects.id = $1
        on conflict (project_id) do update
        set namespace_id = excluded.namespace_id,
            root_namespace_id = excluded.root_namespace_id,
            repository_size = excluded.repository_size,
            wiki_size = excluded.wiki_size,
            lfs_objects_size = excluded.lfs_objects_size,
            storage_size = excluded.storage_size + known.build_artifacts_size + known.packages_size
              + known.pipeline_artifacts_size + known.uploads_size + coalesce(known.snippets_size, 0),
            updated_at = now()
        ",
        project.0,
        bytes(repository),
        wiki.map(bytes)
    )
    .execute(db)
    .await?;
    Ok(())
}
