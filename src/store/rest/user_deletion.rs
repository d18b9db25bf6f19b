//! What hangs on an account that is removed.

use chrono::NaiveDate;
use sqlx::{PgConnection, PgExecutor};

use crate::domain::ids::{NamespaceId, SnippetId, UserId};
use crate::domain::repository::{GlRepository, RepositoryLocation};
use crate::store::Result;

/// A group that has no other owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoleOwnedGroup {
    /// Its id.
    pub id: NamespaceId,
    /// Its full path.
    pub path: String,
}

/// The groups of which the user is an owner by themselves.
pub async fn list_owned(db: impl PgExecutor<'_>, user: UserId, today: NaiveDate) -> Result<Vec<NamespaceId>> {
    let ids = sqlx::query_scalar!(
        r#"
        select source_id
        from members
        where user_id = $1
          and source_type = 'Namespace'
          -- 50 is Owner.
          and access_level = 50
          and gatehouse_is_active_member(members, $2)
        order by source_id
        "#,
        user.0,
        today
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}

/// The groups that nobody else owns for good, be it through a group around them; those around others first. Blocked
/// owners are owners, bots are none.
pub async fn list_sole_owned(db: impl PgExecutor<'_>, user: UserId, today: NaiveDate) -> Result<Vec<SoleOwnedGroup>> {
    let rows = sqlx::query!(
        r#"
        select owned.id, coalesce(routes.path, '') as "path!"
        from members
        join namespaces as owned on owned.id = members.source_id
        left join routes on routes.source_type = 'Namespace' and routes.source_id = owned.id
        where members.user_id = $1
          and members.source_type = 'Namespace'
          -- 50 is Owner.
          and members.access_level = 50
          and gatehouse_is_active_member(members, $2)
          and not exists (
            select
            from members as other
            join users on users.id = other.user_id
            where other.source_type = 'Namespace'
              and other.source_id = any (owned.traversal_ids)
              and other.access_level = 50
              and other.user_id <> $1
              -- 6 is the bot of an access token.
              and users.user_type <> 6
              -- For ever: whose last day is known leaves the group without an owner on that day.
              and gatehouse_is_active_member(other, 'infinity')
          )
        order by cardinality(owned.traversal_ids), owned.id
        "#,
        user.0,
        today
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| SoleOwnedGroup { id: NamespaceId(row.id), path: row.path }).collect())
}

/// The repositories of snippets that belong to no project, of one author.
pub async fn list_snippet_repositories(db: impl PgExecutor<'_>, author: UserId) -> Result<Vec<RepositoryLocation>> {
    let rows = sqlx::query!(
        "
        select snippets.id, shards.name, snippet_repositories.disk_path
        from snippets
        join snippet_repositories on snippet_repositories.snippet_id = snippets.id
        join shards on shards.id = snippet_repositories.shard_id
        where snippets.author_id = $1
          and snippets.project_id is null
        order by snippets.id
        ",
        author.0
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows
        .map(|row| RepositoryLocation {
            storage: row.name,
            relative_path: format!("{}.git", row.disk_path),
            gl_repository: GlRepository::Snippet(SnippetId(row.id)).to_string(),
            gl_project_path: format!("snippets/{}", row.id),
        })
        .collect())
}

/// Removes what is the user's own and stands in no table that goes with their row, and makes what they wrote in other
/// people's projects the ghost's.
pub async fn hand_over(conn: &mut PgConnection, user: UserId, ghost: UserId) -> Result<()> {
    sqlx::query!("delete from snippets where author_id = $1 and project_id is null", user.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from oauth_access_tokens where resource_owner_id = $1", user.0).execute(&mut *conn).await?;
    sqlx::query!("update snippets set author_id = $2 where author_id = $1", user.0, ghost.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update merge_requests set author_id = $2 where author_id = $1", user.0, ghost.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update events set author_id = $2 where author_id = $1", user.0, ghost.0).execute(&mut *conn).await?;
    sqlx::query!("update projects set creator_id = null where creator_id = $1", user.0).execute(&mut *conn).await?;
    Ok(())
}
