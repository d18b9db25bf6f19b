//! Groups and where they are: what it means that one is there, whoever asks for it.

use sqlx::PgConnection;

use crate::domain::ids::{NamespaceId, UserId};
use crate::store::namespaces::{self, GroupRow};
use crate::store::sets::groups as group_sets;
use crate::store::{Result, derived};

/// Makes groups, parents before what is in them, with their paths and places in the tree.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where something has a path, or a group of the same parent a name.
pub async fn insert(conn: &mut PgConnection, rows: &[(i64, GroupRow)]) -> Result<()> {
    group_sets::insert(&mut *conn, rows).await?;
    let new: Vec<NamespaceId> = rows.iter().map(|(id, _)| NamespaceId(*id)).collect();
    derived::refresh_namespaces(conn, &new).await
}

/// Renames or moves a group with all that is in it; former paths become redirects. Where it is moved, the answer is who
/// reached it before: with those who reach it now, they are whose authorizations the caller is to refresh.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where something has a path, or a group of the same parent the name.
pub async fn relocate(
    conn: &mut PgConnection,
    id: NamespaceId,
    before: &GroupRow,
    row: &GroupRow,
) -> Result<Option<Vec<UserId>>> {
    let moved = row.parent_id != before.parent_id;
    let mut reaching = None;
    if moved {
        derived::lock_root(conn, id).await?;
        reaching = Some(derived::users_reaching(&mut *conn, &[id]).await?);
    }
    namespaces::move_group(&mut *conn, id, row).await?;
    derived::refresh_namespace(conn, id).await?;
    Ok(reaching)
}
