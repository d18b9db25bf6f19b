//! Groups and projects end: with them what hangs on them. Their repositories are the caller's to think of.

use sqlx::PgConnection;

use crate::domain::ids::{NamespaceId, ProjectId};
use crate::store::{Result, deletions, namespaces, projects, saml_group_links, users};

/// Removes projects and all that is their own: the bots of their access tokens, their deploy tokens, and the deploy keys
/// that nobody else uses.
pub async fn delete_projects(conn: &mut PgConnection, ids: &[ProjectId]) -> Result<()> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let shadows = deletions::list_project_namespaces(&mut *conn, &ids).await?;
    delete_bots(conn, &shadows).await?;
    deletions::delete_deploy_tokens_of_projects(&mut *conn, &ids).await?;
    projects::delete(conn, &ids).await
}

/// Removes groups that have no projects, with the bots of their access tokens and their deploy tokens. Groups below
/// these must be among them.
pub async fn delete_groups(conn: &mut PgConnection, ids: &[NamespaceId]) -> Result<()> {
    for id in ids {
        saml_group_links::delete_all(&mut *conn, *id).await?;
    }
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    delete_bots(conn, &ids).await?;
    deletions::delete_deploy_tokens_of_groups(&mut *conn, &ids).await?;
    namespaces::delete_groups(conn, &ids).await
}

async fn delete_bots(conn: &mut PgConnection, namespaces: &[i64]) -> Result<()> {
    let bots: Vec<i64> = deletions::list_bots(&mut *conn, namespaces).await?.iter().map(|bot| bot.0).collect();
    if bots.is_empty() { Ok(()) } else { users::delete_all(conn, &bots).await }
}
