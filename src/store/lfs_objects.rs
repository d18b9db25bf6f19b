//! LFS objects: a row for each that the installation has, and which projects have it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{LfsObjectId, ProjectId};
use crate::lfs_files::FileStore;

/// What LFS needs to know of a project beside the facts of access.
#[derive(Debug, Clone)]
pub struct LfsProject {
    /// It, or the nearest group above it that says something, offers LFS.
    pub enabled: bool,
    /// Bytes that it may have; none for any number.
    pub limit: Option<i64>,
    /// Bytes that it has.
    pub used: i64,
    /// The project that it is a fork of.
    pub source: Option<ProjectId>,
    /// What the clone URLs of the instance begin with, where that is not its own URL.
    pub clone_root: Option<String>,
}

/// What LFS needs to know of a project; none where it is gone.
pub async fn find_project(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<LfsProject>> {
    let row = sqlx::query!(
        r#"
        select
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
          ) as "enabled!",
          coalesce(
            projects.repository_size_limit,
            (
              select above.repository_size_limit
              from namespaces as above
              where above.id = any (namespaces.traversal_ids)
                and above.repository_size_limit is not null
              order by cardinality(above.traversal_ids) desc
              limit 1
            ),
            settings.repository_size_limit
          ) as "size_limit?",
          coalesce(statistics.repository_size + statistics.lfs_objects_size, 0) as "used!",
          forks.forked_from_project_id as "source?",
          settings.custom_http_clone_url_root as "clone_root?"
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        left join project_statistics as statistics on statistics.project_id = projects.id
        left join fork_network_members as forks on forks.project_id = projects.id
        left join (
          select repository_size_limit, custom_http_clone_url_root
          from application_settings
          order by id desc
          limit 1
        ) as settings on true
        where projects.id = $1
        "#,
        project.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| LfsProject {
        enabled: row.enabled,
        limit: row.size_limit.filter(|limit| *limit > 0),
        used: row.used,
        source: row.source.map(ProjectId),
        clone_root: row.clone_root.filter(|root| !root.is_empty()),
    }))
}

/// Of these objects those that the project has, by id, and where each is.
pub async fn list_linked(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    oids: &[String],
) -> Result<Vec<(String, FileStore)>> {
    let rows = sqlx::query!(
        "select lfs_objects.oid, lfs_objects.file_store
         from lfs_objects
         where lfs_objects.oid = any ($2)
           and exists (
             select
             from lfs_objects_projects
             where lfs_objects_projects.lfs_object_id = lfs_objects.id
               and lfs_objects_projects.project_id = $1
           )",
        project.0,
        oids,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.oid, FileStore::of_column(row.file_store))).collect())
}

/// Other projects of the fork network that have the object: whoever may fetch from one of them may have it.
pub async fn list_holders_in_network(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    oid: &str,
    most: i64,
) -> Result<Vec<ProjectId>> {
    let rows = sqlx::query_scalar!(
        "select others.project_id
         from fork_network_members as own
         join fork_network_members as others on others.fork_network_id = own.fork_network_id
         where own.project_id = $1
           and others.project_id <> $1
           and exists (
             select
             from lfs_objects
             join lfs_objects_projects on lfs_objects_projects.lfs_object_id = lfs_objects.id
             where lfs_objects.oid = $2
               and lfs_objects_projects.project_id = others.project_id
           )
         order by others.project_id
         limit $3",
        project.0,
        oid,
        most,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(ProjectId).collect())
}

/// Where an object is; none where the installation has none such.
pub async fn find_store(db: impl PgExecutor<'_>, oid: &str) -> Result<Option<FileStore>> {
    let found = sqlx::query_scalar!("select file_store from lfs_objects where oid = $1", oid);
    Ok(found.fetch_optional(db).await?.map(FileStore::of_column))
}

/// Waits until nobody else makes or removes the object, until the end of the transaction.
pub async fn lock(db: impl PgExecutor<'_>, oid: &str) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtextextended('lfs object ' || $1, 0))", oid).execute(db).await?;
    Ok(())
}

/// The row of an object whose file is there, made where it is missing. None where the object has another size there.
pub async fn insert(
    connection: &mut PgConnection,
    oid: &str,
    size: i64,
    store: FileStore,
) -> Result<Option<LfsObjectId>> {
    let row = sqlx::query!(
        r#"
        insert into lfs_objects as known (oid, size, file, file_store)
        values ($1::text, $2, substring($1::text from 5), $3)
        on conflict (oid) do update
        set file = excluded.file,
          file_store = excluded.file_store
        returning id, size
        "#,
        oid,
        size,
        store.column(),
    )
    .fetch_one(connection)
    .await?;
    Ok((row.size == size).then_some(LfsObjectId(row.id)))
}

/// Says that the project has the object, in its repository (0) or its wiki (1). What it takes counts once.
pub async fn link(
    connection: &mut PgConnection,
    object: LfsObjectId,
    project: ProjectId,
    repository_type: i16,
) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended(format('lfs link %s %s', $1::bigint, $2::bigint), 0))",
        project.0,
        object.0,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"
        with counted as (
          select exists (
            select
            from lfs_objects_projects
            where lfs_object_id = $1
              and project_id = $2
          ) as already
        ),
        linked as (
          insert into lfs_objects_projects (lfs_object_id, project_id, repository_type)
          select $1, $2, $3
          where not exists (
            select
            from lfs_objects_projects
            where lfs_object_id = $1
              and project_id = $2
              and repository_type is not distinct from $3
          )
          returning lfs_object_id
        )
        insert into project_statistics as known (
          project_id, namespace_id, root_namespace_id, lfs_objects_size, storage_size
        )
        select projects.id, projects.namespace_id, namespaces.traversal_ids[1], lfs_objects.size, lfs_objects.size
        from linked
        join lfs_objects on lfs_objects.id = linked.lfs_object_id
        join projects on projects.id = $2
        join namespaces on namespaces.id = projects.namespace_id
        cross join counted
        where not counted.already
        on conflict (project_id) do update
        set lfs_objects_size = known.lfs_objects_size + excluded.lfs_objects_size,
          storage_size = known.storage_size + excluded.lfs_objects_size,
          updated_at = now()
        "#,
        object.0,
        project.0,
        repository_type,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The ids of these objects of another project, each with its size there, held until the end of the transaction.
pub async fn lock_linked(
    connection: &mut PgConnection,
    project: ProjectId,
    oids: &[String],
    sizes: &[i64],
) -> Result<Vec<(LfsObjectId, String)>> {
    let rows = sqlx::query!(
        "select lfs_objects.id, lfs_objects.oid
         from lfs_objects
         join unnest($2::text[], $3::bigint[]) as wanted (oid, size)
           on wanted.oid = lfs_objects.oid
           and wanted.size = lfs_objects.size
         where exists (
           select
           from lfs_objects_projects
           where lfs_objects_projects.lfs_object_id = lfs_objects.id
             and lfs_objects_projects.project_id = $1
         )
         order by lfs_objects.id
         for key share of lfs_objects",
        project.0,
        oids,
        sizes,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (LfsObjectId(row.id), row.oid)).collect())
}

/// Objects that no project has and that are older than this, oldest first.
pub async fn list_orphans(db: impl PgExecutor<'_>, before: DateTime<Utc>, most: i64) -> Result<Vec<String>> {
    let rows = sqlx::query_scalar!(
        "select oid
         from lfs_objects
         where created_at < $1
           and not exists (
             select
             from lfs_objects_projects
             where lfs_objects_projects.lfs_object_id = lfs_objects.id
           )
         order by created_at
         limit $2",
        before.naive_utc(),
        most,
    );
    Ok(rows.fetch_all(db).await?)
}

/// Removes the row of an object where still no project has it, and says where its content is; none where it stays.
pub async fn delete_orphan(db: impl PgExecutor<'_>, oid: &str, before: DateTime<Utc>) -> Result<Option<FileStore>> {
    let done = sqlx::query_scalar!(
        "delete from lfs_objects
         where oid = $1
           and created_at < $2
           and not exists (
             select
             from lfs_objects_projects
             where lfs_objects_projects.lfs_object_id = lfs_objects.id
           )
         returning file_store",
        oid,
        before.naive_utc(),
    );
    Ok(done.fetch_optional(db).await?.map(FileStore::of_column))
}
