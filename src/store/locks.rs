//! Locks: of the whole installation, for work that one process at a time may do, and of what a project or group has.

use sqlx::PgConnection;

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId};

/// Waits until no other document is being applied, and keeps others waiting until the transaction ends.
///
/// # Errors
/// Where the wait takes longer than a statement may.
pub async fn take_apply(conn: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('gatehouse apply'))").fetch_one(&mut *conn).await?;
    // From here on, a statement writes what a whole document says of one kind.
    sqlx::query!("set local statement_timeout = '10min'").execute(conn).await?;
    Ok(())
}

/// Keeps others from writing what belongs to the project until the transaction ends, where they ask for the same.
pub async fn take_project(conn: &mut PgConnection, id: ProjectId) -> Result<()> {
    sqlx::query!("select id from projects where id = $1 for no key update", id.0).fetch_optional(conn).await?;
    Ok(())
}

/// Keeps others from writing what belongs to the group until the transaction ends, where they ask for the same.
pub async fn take_namespace(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    sqlx::query!("select id from namespaces where id = $1 for no key update", id.0).fetch_optional(conn).await?;
    Ok(())
}

/// The same, and the project from being deleted.
///
/// # Errors
/// [`super::Error::is_gone`] where it was deleted before.
pub async fn keep_project(conn: &mut PgConnection, id: ProjectId) -> Result<()> {
    sqlx::query!("select id from projects where id = $1 for no key update", id.0).fetch_one(conn).await?;
    Ok(())
}

/// The same, and the group from being deleted.
///
/// # Errors
/// [`super::Error::is_gone`] where it was deleted before.
pub async fn keep_namespace(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    sqlx::query!("select id from namespaces where id = $1 for no key update", id.0).fetch_one(conn).await?;
    Ok(())
}
