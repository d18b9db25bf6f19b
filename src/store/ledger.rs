//! The ledger of provisioning: rows are added, and never changed.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerActor, LedgerAuthor, LedgerEntry, LedgerField, LedgerFields, LedgerRecord};

/// Writes changes down, in the transaction that makes them.
pub async fn insert(
    db: impl PgExecutor<'_>,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
    entries: &[LedgerEntry],
) -> Result<()> {
    let (kind, id, name) = match &author.actor {
        LedgerActor::Administrator(id, username) => ("administrator", Some(id.0), username.as_str()),
        LedgerActor::CustomersPortal => ("customers_portal", None, "customers portal"),
        LedgerActor::Operator => ("operator", None, "gatehouse apply"),
        LedgerActor::SeatRefresh => ("seat_refresh", None, "seat refresh"),
    };
    let namespaces: Vec<i64> = entries.iter().map(|entry| entry.namespace.0).collect();
    let records: Vec<&str> = entries.iter().map(|entry| entry.record.as_str()).collect();
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let befores: Vec<Option<Value>> = entries.iter().map(|entry| entry.before.as_ref().map(object)).collect();
    let afters: Vec<Option<Value>> = entries.iter().map(|entry| entry.after.as_ref().map(object)).collect();
    sqlx::query!(
        "
        insert into provisioning_ledger_entries (
          created_at, namespace_id, record_type, record_id, state_before, state_after, author_type, author_id,
          author_name, request_id
        )
        select $1, entry.namespace_id, entry.record_type, entry.record_id, entry.state_before, entry.state_after, $2, $3,
               left($4, 255), left($5, 255)
        from unnest($6::bigint[], $7::text[], $8::bigint[], $9::jsonb[], $10::jsonb[]) with ordinality
          as entry (namespace_id, record_type, record_id, state_before, state_after, place)
        order by entry.place
        ",
        now,
        kind,
        id,
        name,
        author.request_id,
        &namespaces,
        &records as _,
        &ids,
        &befores as _,
        &afters as _,
    )
    .execute(db)
    .await?;
    Ok(())
}

fn object(fields: &LedgerFields) -> Value {
    let value = |field: &LedgerField| match field {
        LedgerField::Nothing => Value::Null,
        LedgerField::Truth(value) => (*value).into(),
        LedgerField::Whole(value) => (*value).into(),
        LedgerField::Text(value) => value.as_str().into(),
        LedgerField::Day(value) => value.to_string().into(),
    };
    Value::Object(fields.iter().map(|(name, field)| ((*name).to_owned(), value(field))).collect::<Map<_, _>>())
}

/// An entry, as it lies in the table.
#[derive(Debug, Clone)]
pub struct EntryRow {
    /// `provisioning_ledger_entries.id`
    pub id: i64,
    /// `provisioning_ledger_entries.created_at`
    pub created_at: DateTime<Utc>,
    /// `provisioning_ledger_entries.record_type`
    pub record_type: String,
    /// `provisioning_ledger_entries.record_id`
    pub record_id: i64,
    /// `provisioning_ledger_entries.state_before`
    pub before: Option<Value>,
    /// `provisioning_ledger_entries.state_after`
    pub after: Option<Value>,
    /// `provisioning_ledger_entries.author_type`
    pub author_type: String,
    /// `provisioning_ledger_entries.author_id`
    pub author_id: Option<i64>,
    /// `provisioning_ledger_entries.author_name`
    pub author_name: String,
    /// `provisioning_ledger_entries.request_id`
    pub request_id: Option<String>,
}

/// Whether the record ever was the namespace's.
pub async fn knows(db: impl PgExecutor<'_>, namespace: NamespaceId, record: LedgerRecord, id: i64) -> Result<bool> {
    let known = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from provisioning_ledger_entries
          where namespace_id = $1
            and record_type = $2
            and record_id = $3
        ) as "known!"
        "#,
        namespace.0,
        record.as_str() as _,
        id,
    );
    Ok(known.fetch_one(db).await?)
}

/// A namespace's entries with an id above `after`, oldest first, at most `limit` of them.
pub async fn list(db: impl PgExecutor<'_>, namespace: NamespaceId, after: i64, limit: u32) -> Result<Vec<EntryRow>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"
        select
          id,
          created_at,
          record_type,
          record_id,
          state_before as before,
          state_after as after,
          author_type,
          author_id,
          author_name,
          request_id
        from provisioning_ledger_entries
        where namespace_id = $1
          and id > $2
        order by id
        limit $3
        "#,
        namespace.0,
        after,
        i64::from(limit),
    );
    Ok(rows.fetch_all(db).await?)
}
