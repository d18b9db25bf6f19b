//! Locks of the whole installation, for work that one process at a time may do.

use sqlx::PgExecutor;

use super::Result;

/// Waits until no other document is being applied, and keeps others waiting until the transaction ends.
///
/// # Errors
/// Where the wait takes longer than a statement may.
pub async fn take_apply(db: impl PgExecutor<'_>) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock(hashtext('gatehouse apply'))").fetch_one(db).await?;
    Ok(())
}
