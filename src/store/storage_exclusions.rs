//! Exclusions of namespaces from storage limits.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::exclusion::{ExclusionReason, StorageExclusion};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};

/// The namespace's exclusion, which nobody else changes until the transaction ends.
pub async fn find_for_update(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<Option<StorageExclusion>> {
    let row = sqlx::query!(
        "
        select id, reason
        from namespaces_storage_limit_exclusions
        where namespace_id = $1
        for update
        ",
        namespace.0
    );
    Ok(row.fetch_optional(db).await?.map(|row| StorageExclusion { id: row.id, namespace, reason: row.reason }))
}

/// Whether the namespace is excluded.
pub async fn exists(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<bool> {
    let row =
        sqlx::query_scalar!("select id from namespaces_storage_limit_exclusions where namespace_id = $1", namespace.0);
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Excludes the namespace, and writes it down in the ledger; nothing where it is excluded already.
pub async fn create(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    reason: &ExclusionReason,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<Option<StorageExclusion>> {
    let id = sqlx::query_scalar!(
        "
        insert into namespaces_storage_limit_exclusions (namespace_id, reason, created_at, updated_at)
        values ($1, $2, $3, $3)
        on conflict (namespace_id) do nothing
        returning id
        ",
        namespace.0,
        reason.as_str(),
        now,
    );
    let Some(id) = id.fetch_optional(&mut *conn).await? else { return Ok(None) };
    let exclusion = StorageExclusion { id, namespace, reason: reason.as_str().to_owned() };
    let entry = LedgerEntry { after: Some(exclusion.fields()), ..entry(&exclusion) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(Some(exclusion))
}

/// Gives an exclusion that is locked another reason, and writes down what it was and is.
pub async fn change(
    conn: &mut PgConnection,
    before: &StorageExclusion,
    reason: &ExclusionReason,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    let after = StorageExclusion { reason: reason.as_str().to_owned(), ..before.clone() };
    sqlx::query!(
        "update namespaces_storage_limit_exclusions set reason = $2, updated_at = $3 where id = $1",
        after.id,
        after.reason,
        now,
    )
    .execute(&mut *conn)
    .await?;
    let entry = LedgerEntry { before: Some(before.fields()), after: Some(after.fields()), ..entry(&after) };
    ledger::insert(conn, author, now, &[entry]).await
}

/// Limits the namespace again, and writes down why it was not; false where it is not excluded.
pub async fn delete(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = sqlx::query!(
        "delete from namespaces_storage_limit_exclusions where namespace_id = $1 returning id, reason",
        namespace.0
    );
    let Some(row) = row.fetch_optional(&mut *conn).await? else { return Ok(false) };
    let exclusion = StorageExclusion { id: row.id, namespace, reason: row.reason };
    let entry = LedgerEntry { before: Some(exclusion.fields()), ..entry(&exclusion) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(true)
}

/// How many there are, counted no further than `most`.
pub async fn count(db: impl PgExecutor<'_>, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from (select from namespaces_storage_limit_exclusions limit $1) as counted"#,
        most
    );
    Ok(count.fetch_one(db).await?)
}

/// Exclusions with the names of their namespaces, by their ids: `limit` of them after the first `offset`.
pub async fn list(db: impl PgExecutor<'_>, limit: i64, offset: i64) -> Result<Vec<(StorageExclusion, String)>> {
    let rows = sqlx::query!(
        "
        select exclusion.id, exclusion.namespace_id, exclusion.reason, namespaces.name
        from namespaces_storage_limit_exclusions as exclusion
        join namespaces on namespaces.id = exclusion.namespace_id
        order by exclusion.id
        limit $1
        offset $2
        ",
        limit,
        offset,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    let named = rows.map(|row| {
        let exclusion = StorageExclusion { id: row.id, namespace: NamespaceId(row.namespace_id), reason: row.reason };
        (exclusion, row.name)
    });
    Ok(named.collect())
}

fn entry(exclusion: &StorageExclusion) -> LedgerEntry {
    LedgerEntry {
        namespace: exclusion.namespace,
        record: LedgerRecord::StorageExclusion,
        id: exclusion.id,
        before: None,
        after: None,
    }
}
