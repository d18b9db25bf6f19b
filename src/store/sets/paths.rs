//! Who has which names and paths.

use sqlx::PgExecutor;

use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::store::Result;
use crate::store::namespaces::PathOwner;

/// The users of these names, whatever their case: the name as it was asked for, and who has it.
pub async fn list_users(db: impl PgExecutor<'_>, usernames: &[String]) -> Result<Vec<(String, UserId)>> {
    let rows = sqlx::query!(
        r#"
        select asked.username as "username!", users.id
        from unnest($1::text[]) as asked (username)
        join users on lower(users.username) = lower(asked.username)
        "#,
        usernames
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.username, UserId(row.id))).collect())
}

/// A path that was asked for, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPath {
    /// The path as it was asked for.
    pub asked: String,
    /// The path in its own letter case.
    pub path: String,
    /// Who has it.
    pub owner: PathOwner,
}

/// Who has these paths, whatever their case.
pub async fn list_owners(db: impl PgExecutor<'_>, paths: &[String]) -> Result<Vec<OwnedPath>> {
    let rows = sqlx::query!(
        r#"
        select asked.path as "asked!", routes.path, routes.source_type, routes.source_id, namespaces.type as kind
        from unnest($1::text[]) as asked (path)
        join routes on lower(routes.path) = lower(asked.path)
        join namespaces on namespaces.id = routes.namespace_id
        "#,
        paths
    )
    .fetch_all(db)
    .await?;
    let owner = |source_type: &str, kind: &str, id| match (source_type, kind) {
        ("Project", _) => PathOwner::Project(ProjectId(id)),
        (_, "Group") => PathOwner::Group(NamespaceId(id)),
        _ => PathOwner::Personal(NamespaceId(id)),
    };
    Ok(rows
        .into_iter()
        .map(|row| OwnedPath {
            owner: owner(&row.source_type, &row.kind, row.source_id),
            asked: row.asked,
            path: row.path,
        })
        .collect())
}

/// The namespaces of one type that have these names in these parents: parent, name and id.
pub async fn list_names(
    db: impl PgExecutor<'_>,
    kind: &str,
    parents: &[i64],
    names: &[String],
) -> Result<Vec<(i64, String, NamespaceId)>> {
    let rows = sqlx::query!(
        r#"
        select namespaces.parent_id as "parent_id!", namespaces.name, namespaces.id
        from unnest($2::bigint[], $3::text[]) as asked (parent_id, name)
        join namespaces on namespaces.parent_id = asked.parent_id and namespaces.name = asked.name
        where namespaces.type = $1
        "#,
        kind,
        parents,
        names
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.parent_id, row.name, NamespaceId(row.id))).collect())
}

/// The ids from the root down to each of these namespaces.
pub async fn list_lineages(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<(NamespaceId, Vec<i64>)>> {
    let rows = sqlx::query!("select id, traversal_ids from namespaces where id = any($1)", ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (NamespaceId(row.id), row.traversal_ids)).collect())
}
