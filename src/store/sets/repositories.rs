//! Where projects' repositories are.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::domain::default_branch::USUAL;
use crate::domain::ids::ProjectId;
use crate::domain::repository::hashed_path;
use crate::store::Result;

/// What is known of a project's repositories.
#[derive(Debug, Clone, Default)]
pub struct RepositoryRecord {
    /// The storage that holds the code's; nothing where there is none.
    pub storage: Option<String>,
    /// Whether the wiki has one.
    pub wiki: bool,
    /// Whether the code's is to be made later.
    pub missing: bool,
    /// The default branch, as far as it is known or stated.
    pub default_branch: Option<String>,
}

/// What is known of the repositories of these projects.
pub async fn list(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<HashMap<ProjectId, RepositoryRecord>> {
    let rows = sqlx::query!(
        r#"
        select
          asked.id as "id!",
          shards.name as "storage?",
          exists (select from project_wiki_repositories where project_id = asked.id) as "wiki!",
          exists (select from missing_repositories where project_id = asked.id) as "missing!",
          branches.name as "default_branch?"
        from unnest($1::bigint[]) as asked (id)
        left join project_repositories on project_repositories.project_id = asked.id
        left join shards on shards.id = project_repositories.shard_id
        left join project_default_branches as branches on branches.project_id = asked.id
        "#,
        projects
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let record = RepositoryRecord {
                storage: row.storage,
                wiki: row.wiki,
                missing: row.missing,
                default_branch: row.default_branch,
            };
            (ProjectId(row.id), record)
        })
        .collect())
}

/// The branches that new repositories of these projects are to get: what their groups say, the nearest first, or the
/// instance.
pub async fn list_initial_branches(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<HashMap<ProjectId, String>> {
    let rows = sqlx::query!(
        r#"
        select
          projects.id,
          coalesce(
            (
              select above.default_branch_name
              from namespaces
              join namespaces as above_namespaces on above_namespaces.id = any (namespaces.traversal_ids)
              join namespace_settings as above on above.namespace_id = above_namespaces.id
              where namespaces.id = projects.namespace_id
                and above.default_branch_name <> ''
              order by cardinality(above_namespaces.traversal_ids) desc
              limit 1
            ),
            (select nullif(default_branch_name, '') from application_settings order by id desc limit 1),
            $2
          ) as "name!"
        from projects
        where projects.id = any($1)
        "#,
        projects,
        USUAL
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (ProjectId(row.id), row.name)).collect())
}

/// Writes that projects' repositories exist on storages, where hashed storage keeps them, and are not to be made any
/// more.
pub async fn upsert(conn: &mut PgConnection, rows: &[(ProjectId, String)]) -> Result<()> {
    let projects: Vec<i64> = rows.iter().map(|(project, _)| project.0).collect();
    let storages: Vec<String> = rows.iter().map(|(_, storage)| storage.clone()).collect();
    let mut shards = storages.clone();
    shards.sort();
    shards.dedup();
    sqlx::query!("insert into shards (name) select unnest($1::varchar[]) on conflict (name) do nothing", &shards)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "
        insert into project_repositories (project_id, shard_id, disk_path)
        select stated.project_id, shards.id, stated.disk_path
        from unnest($1::bigint[], $2::text[], $3::text[]) as stated (project_id, storage, disk_path)
        join shards on shards.name = stated.storage
        on conflict (project_id) do update
        set shard_id = excluded.shard_id
        ",
        &projects,
        &storages,
        &projects.iter().map(|id| hashed_path("@hashed", *id)).collect::<Vec<_>>()
    )
    .execute(&mut *conn)
    .await?;
    delete_missing(conn, &projects).await
}

/// Writes that projects have no repository.
pub async fn delete(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<()> {
    sqlx::query!("delete from project_repositories where project_id = any($1)", projects).execute(db).await?;
    Ok(())
}

/// Notes that projects' repositories are to be made once their storages answer, with HEADs that name these branches.
pub async fn insert_missing(
    db: impl PgExecutor<'_>,
    rows: &[(ProjectId, Option<String>)],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into missing_repositories (project_id, default_branch, created_at)
        select project_id, default_branch, $3
        from unnest($1::bigint[], $2::text[]) as stated (project_id, default_branch)
        on conflict (project_id) do update
        set default_branch = coalesce(excluded.default_branch, missing_repositories.default_branch)
        ",
        &rows.iter().map(|(project, _)| project.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, branch)| branch.clone()).collect::<Vec<_>>() as _,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that projects' repositories are not to be made after all.
pub async fn delete_missing(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<()> {
    sqlx::query!("delete from missing_repositories where project_id = any($1)", projects).execute(db).await?;
    Ok(())
}

/// Keeps what is said of default branches, unless more is known already.
pub async fn insert_default_branches(
    db: impl PgExecutor<'_>,
    rows: &[(ProjectId, String)],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into project_default_branches (project_id, name, known_at)
        select project_id, name, $3
        from unnest($1::bigint[], $2::text[]) as stated (project_id, name)
        on conflict (project_id) do nothing
        ",
        &rows.iter().map(|(project, _)| project.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes that projects have wiki repositories.
pub async fn insert_wikis(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        insert into project_wiki_repositories (project_id)
        select unnest($1::bigint[])
        on conflict (project_id) do nothing
        ",
        projects
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes that projects have no wiki repositories.
pub async fn delete_wikis(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<()> {
    sqlx::query!("delete from project_wiki_repositories where project_id = any($1)", projects).execute(db).await?;
    Ok(())
}
