//! Upcoming reconciliations.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, ledger};
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerAuthor, LedgerEntry, LedgerRecord};
use crate::domain::reconciliation::UpcomingReconciliation;

/// The namespace's upcoming reconciliation, which nobody else changes until the transaction ends.
pub async fn find_for_update(
    db: impl PgExecutor<'_>,
    namespace: NamespaceId,
) -> Result<Option<UpcomingReconciliation>> {
    Ok(list(db, &[namespace.0]).await?.remove(&namespace.0).map(|(_, reconciliation)| reconciliation))
}

async fn list(db: impl PgExecutor<'_>, namespaces: &[i64]) -> Result<BTreeMap<i64, (i64, UpcomingReconciliation)>> {
    let rows = sqlx::query_as!(
        ReconciliationRow,
        r#"
        select id, namespace_id as "namespace_id!", next_reconciliation_date, display_alert_from
        from upcoming_reconciliations
        where namespace_id = any ($1)
        order by namespace_id
        for update
        "#,
        namespaces
    );
    let rows = rows.fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.namespace_id, (row.id, row.reconciliation()))).collect())
}

#[derive(Debug)]
struct ReconciliationRow {
    id: i64,
    namespace_id: i64,
    next_reconciliation_date: NaiveDate,
    display_alert_from: NaiveDate,
}

impl ReconciliationRow {
    fn reconciliation(&self) -> UpcomingReconciliation {
        UpcomingReconciliation {
            namespace: NamespaceId(self.namespace_id),
            next_reconciliation_date: self.next_reconciliation_date,
            display_alert_from: self.display_alert_from,
        }
    }
}

/// Writes reconciliations of namespaces that are locked, each of another one, over those that they have.
pub async fn upsert(
    conn: &mut PgConnection,
    reconciliations: &[UpcomingReconciliation],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<()> {
    let namespaces: Vec<i64> = reconciliations.iter().map(|one| one.namespace.0).collect();
    let next: Vec<NaiveDate> = reconciliations.iter().map(|one| one.next_reconciliation_date).collect();
    let alerts: Vec<NaiveDate> = reconciliations.iter().map(|one| one.display_alert_from).collect();
    let before = list(&mut *conn, &namespaces).await?;
    let rows = sqlx::query_as!(
        ReconciliationRow,
        r#"
        insert into upcoming_reconciliations (
          namespace_id, organization_id, next_reconciliation_date, display_alert_from, created_at, updated_at
        )
        select namespaces.id, namespaces.organization_id, stated.next_reconciliation_date, stated.display_alert_from, $4, $4
        from unnest($1::bigint[], $2::date[], $3::date[])
          as stated (namespace_id, next_reconciliation_date, display_alert_from)
        join namespaces on namespaces.id = stated.namespace_id
        order by namespaces.id
        on conflict (namespace_id) do update
        set next_reconciliation_date = excluded.next_reconciliation_date,
            display_alert_from = excluded.display_alert_from,
            created_at = excluded.created_at,
            updated_at = excluded.updated_at
        returning id, namespace_id as "namespace_id!", next_reconciliation_date, display_alert_from
        "#,
        &namespaces,
        &next,
        &alerts,
        now,
    );
    let mut entries = Vec::new();
    for row in rows.fetch_all(&mut *conn).await? {
        let after = row.reconciliation();
        let before = before.get(&row.namespace_id).map(|(_, before)| *before);
        if before != Some(after) {
            let before = before.map(|before| before.fields());
            entries.push(LedgerEntry { before, after: Some(after.fields()), ..entry(row.namespace_id, row.id) });
        }
    }
    ledger::insert(conn, author, now, &entries).await
}

/// Removes the namespace's reconciliation, and writes down what it was; false where there is none.
pub async fn delete(
    conn: &mut PgConnection,
    namespace: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> Result<bool> {
    let row = sqlx::query_as!(
        ReconciliationRow,
        r#"
        delete from upcoming_reconciliations
        where namespace_id = $1
        returning id, namespace_id as "namespace_id!", next_reconciliation_date, display_alert_from
        "#,
        namespace.0
    );
    let Some(row) = row.fetch_optional(&mut *conn).await? else { return Ok(false) };
    let entry = LedgerEntry { before: Some(row.reconciliation().fields()), ..entry(row.namespace_id, row.id) };
    ledger::insert(conn, author, now, &[entry]).await?;
    Ok(true)
}

fn entry(namespace: i64, id: i64) -> LedgerEntry {
    LedgerEntry {
        namespace: NamespaceId(namespace),
        record: LedgerRecord::Reconciliation,
        id,
        before: None,
        after: None,
    }
}
