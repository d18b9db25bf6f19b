//! Repositories whose projects are gone, until their storages have removed them.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::{Result, jobs};
use crate::domain::repository::RepositoryLocation;

/// A repository that is to be removed.
#[derive(Debug, Clone)]
pub struct RemovedRepository {
    /// Where it is.
    pub location: RepositoryLocation,
    /// Whether a project has it after all.
    pub owned: bool,
    /// It was made for a project that never came to be, and is removed only where it has no branches.
    pub only_empty: bool,
}

/// The repository of that row.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<RemovedRepository>> {
    let row = sqlx::query!(
        r#"
        select
          storage,
          relative_path,
          gl_repository,
          gl_project_path,
          only_empty,
          exists (
            select
            from project_repositories
            join shards on shards.id = project_repositories.shard_id
            where shards.name = removed_repositories.storage
              and project_repositories.disk_path || '.git' = removed_repositories.relative_path
          ) as "owned!"
        from removed_repositories
        where id = $1
        "#,
        id
    );
    let removed = row.fetch_optional(db).await?.map(|row| RemovedRepository {
        location: RepositoryLocation {
            storage: row.storage,
            relative_path: row.relative_path,
            gl_repository: row.gl_repository,
            gl_project_path: row.gl_project_path,
        },
        owned: row.owned,
        only_empty: row.only_empty,
    });
    Ok(removed)
}

/// Notes repositories whose projects are gone, with the jobs that remove them.
pub async fn insert(conn: &mut PgConnection, locations: &[RepositoryLocation]) -> Result<()> {
    add(conn, locations, false, Duration::ZERO).await
}

/// Notes a repository that is about to be made for a project: after so long it is removed, unless it has a project by
/// then, or branches.
pub async fn insert_orphan(conn: &mut PgConnection, location: &RepositoryLocation, after: Duration) -> Result<()> {
    add(conn, std::slice::from_ref(location), true, after).await
}

async fn add(
    conn: &mut PgConnection,
    locations: &[RepositoryLocation],
    only_empty: bool,
    after: Duration,
) -> Result<()> {
    if locations.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&RepositoryLocation) -> &String| locations.iter().map(|it| of(it).clone()).collect::<Vec<_>>();
    let ids = sqlx::query_scalar!(
        "
        insert into removed_repositories (storage, relative_path, gl_repository, gl_project_path, only_empty)
        select storage, relative_path, gl_repository, gl_project_path, $5
        from unnest($1::varchar[], $2::varchar[], $3::varchar[], $4::varchar[])
          as stated (storage, relative_path, gl_repository, gl_project_path)
        on conflict (storage, relative_path) do update
        set gl_repository = excluded.gl_repository,
            only_empty = excluded.only_empty
        returning id
        ",
        &column(|location| &location.storage),
        &column(|location| &location.relative_path),
        &column(|location| &location.gl_repository),
        &column(|location| &location.gl_project_path),
        only_empty
    )
    .fetch_all(&mut *conn)
    .await?;
    jobs::insert_remove_repositories(conn, &ids, after).await
}

/// Forgets a repository that is removed, or that has a project.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from removed_repositories where id = $1", id).execute(db).await?;
    Ok(())
}

/// Forgets the repository at this place, which has a project, or is not ours.
pub async fn delete_at(db: impl PgExecutor<'_>, location: &RepositoryLocation) -> Result<()> {
    sqlx::query!(
        "delete from removed_repositories where storage = $1 and relative_path = $2",
        location.storage,
        location.relative_path
    )
    .execute(db)
    .await?;
    Ok(())
}
