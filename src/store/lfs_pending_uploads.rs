//! LFS objects that are on their way into a bucket.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// An object on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpload {
    /// Its name for Workhorse, which nobody guesses.
    pub remote_id: String,
    /// The object.
    pub oid: String,
    /// Its size.
    pub size: i64,
    /// The project that it is for.
    pub project: ProjectId,
    /// The name in the bucket that it comes in under.
    pub object_name: String,
    /// The upload in parts, as the bucket calls it.
    pub upload_id: String,
    /// Whether Workhorse lays it down, under a name that is temporary.
    pub by_workhorse: bool,
}

/// Notes that an object comes.
pub async fn insert(db: impl PgExecutor<'_>, pending: &PendingUpload, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into lfs_pending_uploads (
           remote_id, oid, size, project_id, object_name, upload_id, by_workhorse, created_at
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        pending.remote_id,
        pending.oid,
        pending.size,
        pending.project.0,
        pending.object_name,
        pending.upload_id,
        pending.by_workhorse,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What Workhorse was let lay down under this name, for this object of this project.
pub async fn find_by_workhorse(
    db: impl PgExecutor<'_>,
    remote_id: &str,
    oid: &str,
    project: ProjectId,
) -> Result<Option<PendingUpload>> {
    let row = sqlx::query!(
        "select size, object_name, upload_id
         from lfs_pending_uploads
         where remote_id = $1
           and oid = $2
           and project_id = $3
           and by_workhorse",
        remote_id,
        oid,
        project.0,
    );
    Ok(row.fetch_optional(db).await?.map(|row| PendingUpload {
        remote_id: remote_id.to_owned(),
        oid: oid.to_owned(),
        size: row.size,
        project,
        object_name: row.object_name,
        upload_id: row.upload_id,
        by_workhorse: true,
    }))
}

/// Forgets an object that has arrived or was given up.
pub async fn delete(db: impl PgExecutor<'_>, remote_id: &str) -> Result<()> {
    sqlx::query!("delete from lfs_pending_uploads where remote_id = $1", remote_id).execute(db).await?;
    Ok(())
}

/// Those that began before this and never arrived, oldest first.
pub async fn list_abandoned(db: impl PgExecutor<'_>, before: DateTime<Utc>, most: i64) -> Result<Vec<PendingUpload>> {
    let rows = sqlx::query!(
        "select remote_id, oid, size, project_id, object_name, upload_id, by_workhorse
         from lfs_pending_uploads
         where created_at < $1
         order by created_at
         limit $2",
        before,
        most,
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| PendingUpload {
        remote_id: row.remote_id,
        oid: row.oid,
        size: row.size,
        project: ProjectId(row.project_id),
        object_name: row.object_name,
        upload_id: row.upload_id,
        by_workhorse: row.by_workhorse,
    });
    Ok(rows.collect())
}
