//! Compute minutes and storage of namespaces.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};
use crate::domain::namespace_limits::{LimitsChange, NamespaceLimits};

/// What the namespace has; nothing where it is gone.
pub async fn find(db: impl PgExecutor<'_>, namespace: NamespaceId) -> Result<Option<NamespaceLimits>> {
    let limits = sqlx::query_as!(
        NamespaceLimits,
        r#"
        select
          namespaces.shared_runners_minutes_limit,
          namespaces.extra_shared_runners_minutes_limit,
          coalesce(namespace_limits.additional_purchased_storage_size, 0) as "additional_purchased_storage_size!",
          namespace_limits.additional_purchased_storage_ends_on as "additional_purchased_storage_ends_on?"
        from namespaces
        left join namespace_limits on namespace_limits.namespace_id = namespaces.id
        where namespaces.id = $1
        "#,
        namespace.0
    );
    Ok(limits.fetch_optional(db).await?)
}

/// Writes a change of a namespace whose tree is locked, and both states to the ledger.
pub async fn change(
    conn: &mut PgConnection,
    change: &LimitsChange,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    let after = &change.after;
    if *after == change.before {
        return Ok(());
    }
    sqlx::query!(
        "
        update namespaces
        set shared_runners_minutes_limit = $2,
            extra_shared_runners_minutes_limit = $3,
            updated_at = $4::timestamptz at time zone 'utc'
        where id = $1
          and (shared_runners_minutes_limit, extra_shared_runners_minutes_limit) is distinct from ($2, $3)
        ",
        change.namespace.0,
        after.shared_runners_minutes_limit,
        after.extra_shared_runners_minutes_limit,
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        insert into namespace_limits (
          namespace_id, additional_purchased_storage_size, additional_purchased_storage_ends_on
        )
        values ($1, $2, $3)
        on conflict (namespace_id) do update
        set additional_purchased_storage_size = excluded.additional_purchased_storage_size,
            additional_purchased_storage_ends_on = excluded.additional_purchased_storage_ends_on
        ",
        change.namespace.0,
        after.additional_purchased_storage_size,
        after.additional_purchased_storage_ends_on,
    )
    .execute(&mut *conn)
    .await?;
    note(conn, change, author, now).await
}

/// Writes a change down that is made already.
pub async fn note(
    conn: &mut PgConnection,
    change: &LimitsChange,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    if change.before == change.after {
        return Ok(());
    }
    let entry = LedgerEntry {
        namespace: change.namespace,
        record: LedgerRecord::NamespaceLimits,
        id: change.namespace.0,
        before: change.before.fields(),
        after: change.after.fields(),
    };
    ledger::insert(conn, author, now, &[entry]).await
}
