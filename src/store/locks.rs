//! Locks of the whole installation, for work that one process at a time may do.

use sqlx::PgConnection;

use super::Result;

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
