//! Merge requests, as far as pushes look at them.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// A merge request into a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeRequestRow {
    /// The project that it comes from; none where that is gone.
    pub source_project_id: Option<i64>,
    /// The branch there.
    pub source_branch: String,
    /// The branch here.
    pub target_branch: String,
    /// 1 opened, 2 closed, 3 merged, 4 locked
    pub state_id: i16,
    /// Whether those who may merge it may push to its source branch.
    pub allow_maintainer_to_push: bool,
    /// What the running merge ends with.
    pub in_progress_merge_commit_sha: Option<String>,
}

/// The merge request of this number in a project.
pub async fn find(db: impl PgExecutor<'_>, target: ProjectId, iid: i32) -> Result<Option<(i64, MergeRequestRow)>> {
    let row = sqlx::query!(
        r#"
        select
          id,
          source_project_id,
          source_branch,
          target_branch,
          state_id,
          coalesce(allow_maintainer_to_push, false) as "allow_maintainer_to_push!",
          in_progress_merge_commit_sha
        from merge_requests
        where target_project_id = $1
          and iid = $2
        "#,
        target.0,
        iid,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let found = MergeRequestRow {
            source_project_id: row.source_project_id,
            source_branch: row.source_branch,
            target_branch: row.target_branch,
            state_id: row.state_id,
            allow_maintainer_to_push: row.allow_maintainer_to_push,
            in_progress_merge_commit_sha: row.in_progress_merge_commit_sha,
        };
        (row.id, found)
    }))
}

/// Writes a merge request of this number into a project, or over the one that is there.
pub async fn upsert(db: impl PgExecutor<'_>, target: ProjectId, iid: i32, row: &MergeRequestRow) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into merge_requests (
           target_project_id, iid, source_project_id, source_branch, target_branch, state_id, allow_maintainer_to_push,
           in_progress_merge_commit_sha
         )
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (target_project_id, iid) do update
         set
           source_project_id = excluded.source_project_id,
           source_branch = excluded.source_branch,
           target_branch = excluded.target_branch,
           state_id = excluded.state_id,
           allow_maintainer_to_push = excluded.allow_maintainer_to_push,
           in_progress_merge_commit_sha = excluded.in_progress_merge_commit_sha,
           updated_at = now() at time zone 'utc'
         returning id",
        target.0,
        iid,
        row.source_project_id,
        row.source_branch,
        row.target_branch,
        row.state_id,
        row.allow_maintainer_to_push,
        row.in_progress_merge_commit_sha,
    )
    .fetch_one(db)
    .await?;
    Ok(id)
}

/// Removes a merge request.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from merge_requests where id = $1", id).execute(db).await?;
    Ok(())
}
