//! Sequences that ids come from.

use sqlx::PgExecutor;

use super::Result;

/// Makes the table's next id greater than `id`. Like all that is done to a sequence, this outlives a rollback.
///
/// # Errors
/// Where the database gives no answer.
pub async fn move_past(db: impl PgExecutor<'_>, table: &str, id: i64) -> Result<()> {
    sqlx::query!(
        "
        select setval(sequence, greatest($2, coalesce(pg_sequence_last_value(sequence), 1)))
        from (select pg_get_serial_sequence($1, 'id')::regclass as sequence) as named
        ",
        table,
        id
    )
    .fetch_one(db)
    .await?;
    Ok(())
}
