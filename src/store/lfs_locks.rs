//! Locks of files that are under LFS: `lfs_file_locks`.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{ProjectId, UserId};

/// A lock, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LfsLock {
    /// Its id.
    pub id: i64,
    /// The path of the file.
    pub path: String,
    /// When it was made.
    pub locked_at: NaiveDateTime,
    /// Who made it.
    pub owner: UserId,
    /// Their name.
    pub username: String,
}

/// A new lock; none where the path has one.
pub async fn insert(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    user: UserId,
    path: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!(
        "insert into lfs_file_locks (project_id, user_id, path, created_at)
         values ($1, $2, $3, $4)
         on conflict (project_id, path) do nothing
         returning id",
        project.0,
        user.0,
        path,
        now.naive_utc(),
    );
    Ok(id.fetch_optional(db).await?)
}

/// Which locks are asked for.
#[derive(Debug, Clone, Default)]
pub struct LockFilter {
    /// Of this path.
    pub path: Option<String>,
    /// Of this id.
    pub id: Option<i64>,
    /// After this id.
    pub after: i64,
    /// So many at most.
    pub most: i64,
}

/// The locks of a project, in the order of their ids.
pub async fn list(db: impl PgExecutor<'_>, project: ProjectId, filter: &LockFilter) -> Result<Vec<LfsLock>> {
    let rows = sqlx::query!(
        r#"
        select
          locks.id,
          coalesce(locks.path, '') as "path!",
          locks.created_at,
          locks.user_id,
          coalesce(users.username, '') as "username!"
        from lfs_file_locks as locks
        join users on users.id = locks.user_id
        where locks.project_id = $1
          and locks.id > $2
          and ($3::text is null or locks.path = $3)
          and ($4::bigint is null or locks.id = $4)
        order by locks.id
        limit $5
        "#,
        project.0,
        filter.after,
        filter.path,
        filter.id,
        filter.most,
    )
    .fetch_all(db)
    .await?;
    let lock = rows.into_iter().map(|row| LfsLock {
        id: row.id,
        path: row.path,
        locked_at: row.created_at,
        owner: UserId(row.user_id),
        username: row.username,
    });
    Ok(lock.collect())
}

/// Removes a lock; false where it is gone.
pub async fn delete(db: impl PgExecutor<'_>, project: ProjectId, id: i64) -> Result<bool> {
    let done = sqlx::query!("delete from lfs_file_locks where id = $2 and project_id = $1", project.0, id);
    Ok(done.execute(db).await?.rows_affected() == 1)
}
