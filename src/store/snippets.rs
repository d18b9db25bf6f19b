//! Snippets, as far as git looks at them.

use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::SnippetId;
use crate::domain::repository::hashed_path;

/// A snippet: of a project, or of nobody but its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnippetRow {
    /// Whose it is.
    pub author_id: i64,
    /// The project that it belongs to.
    pub project_id: Option<i64>,
    /// 0 private, 10 internal, 20 public
    pub visibility_level: i32,
    /// Nobody pushes.
    pub repository_read_only: bool,
}

/// The snippet of this id.
pub async fn find(db: impl PgExecutor<'_>, id: SnippetId) -> Result<Option<SnippetRow>> {
    let row = sqlx::query_as!(
        SnippetRow,
        "select author_id, project_id, visibility_level, repository_read_only from snippets where id = $1",
        id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row)
}

/// Makes a snippet of this id.
pub async fn insert(db: impl PgExecutor<'_>, id: SnippetId, row: &SnippetRow) -> Result<()> {
    sqlx::query!(
        "insert into snippets (id, type, author_id, project_id, organization_id, visibility_level, repository_read_only)
         values (
           $1,
           case when $3::bigint is null then 'PersonalSnippet' else 'ProjectSnippet' end,
           $2,
           $3,
           case when $3 is null then 1 end,
           $4,
           $5
         )",
        id.0,
        row.author_id,
        row.project_id,
        row.visibility_level,
        row.repository_read_only,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what may change of a snippet: not where it belongs.
pub async fn update(db: impl PgExecutor<'_>, id: SnippetId, row: &SnippetRow) -> Result<()> {
    sqlx::query!(
        "update snippets
         set
           author_id = $2,
           visibility_level = $3,
           repository_read_only = $4,
           updated_at = now() at time zone 'utc'
         where id = $1",
        id.0,
        row.author_id,
        row.visibility_level,
        row.repository_read_only,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a snippet. False where there was none.
pub async fn delete(db: impl PgExecutor<'_>, id: SnippetId) -> Result<bool> {
    let deleted = sqlx::query!("delete from snippets where id = $1", id.0).execute(db).await?;
    Ok(deleted.rows_affected() > 0)
}

/// The storage that holds the snippet's repository; nothing where there is no repository.
pub async fn find_repository_storage(db: impl PgExecutor<'_>, id: SnippetId) -> Result<Option<String>> {
    let name = sqlx::query_scalar!(
        "select shards.name
         from snippet_repositories
         join shards on shards.id = snippet_repositories.shard_id
         where snippet_repositories.snippet_id = $1",
        id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(name)
}

/// Writes that the snippet's repository exists on that storage, where hashed storage keeps it.
pub async fn upsert_repository(conn: &mut PgConnection, id: SnippetId, storage: &str) -> Result<()> {
    sqlx::query!("insert into shards (name) values ($1) on conflict (name) do nothing", storage)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "insert into snippet_repositories (
           snippet_id, shard_id, disk_path, snippet_project_id, snippet_organization_id
         )
         select snippets.id, shards.id, $3, snippets.project_id, snippets.organization_id
         from snippets
         cross join shards
         where snippets.id = $1
           and shards.name = $2
         on conflict (snippet_id) do update
         set shard_id = excluded.shard_id",
        id.0,
        storage,
        hashed_path("@snippets", id.0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes that the snippet has no repository.
pub async fn delete_repository(db: impl PgExecutor<'_>, id: SnippetId) -> Result<()> {
    sqlx::query!("delete from snippet_repositories where snippet_id = $1", id.0).execute(db).await?;
    Ok(())
}
