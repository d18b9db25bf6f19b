//! Audit events as administrators search them.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::{FromRow, QueryBuilder};

use crate::store::audit_events::EventRow;
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of this name.
    pub event: Option<String>,
    /// By this user.
    pub author: Option<i64>,
    /// About this: a type of GitLab's, and an id.
    pub entity: Option<(String, i64)>,
    /// Not before this.
    pub since: Option<DateTime<Utc>>,
    /// Before this.
    pub until: Option<DateTime<Utc>>,
}

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    created_at: NaiveDateTime,
    author: String,
    entity: String,
    target: String,
    ip_address: Option<String>,
    details: String,
}

/// What events are called.
const NAME: &str = "substring(details from ':event_name: ([a-z_]+)')";

impl EventFilter {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self, event: &EventRow) -> Vec<KeyValue> {
        let name = self.event.iter().map(|name| KeyValue::Text(name.clone()));
        name.chain([KeyValue::Number(event.id)]).collect()
    }

    fn order(&self) -> KeyOrder {
        let columns: &[&str] = if self.event.is_some() { &[NAME, "id"] } else { &["id"] };
        KeyOrder { columns, descending: true }
    }
}

/// A page of the events, the newest first.
pub async fn list(db: &Db, filter: &EventFilter, request: &PageRequest) -> Result<Page<EventRow>> {
    let mut select = QueryBuilder::new(
        "select id, created_at, coalesce(author_name, author_id::text) as author,
           case entity_type
             when 'Gitlab::Audit::InstanceScope' then 'the installation'
             else concat_ws(' ', lower(entity_type), entity_path)
           end as entity,
           concat_ws(' ', target_type, target_id::text, nullif(target_details, '')) as target,
           host(ip_address) as ip_address, coalesce(details, '') as details
         from audit_events
         where true",
    );
    if let Some(event) = &filter.event {
        // A range and not an equation, which would let PostgreSQL walk through all events by id for a name that few have.
        select.push(" and ").push(NAME).push(" >= ").push_bind(event.clone());
        select.push(" and ").push(NAME).push(" <= ").push_bind(event.clone());
    }
    if let Some(author) = filter.author {
        select.push(" and author_id = ").push_bind(author);
    }
    if let Some((kind, id)) = &filter.entity {
        select.push(" and entity_type = ").push_bind(kind.clone()).push(" and entity_id = ").push_bind(*id);
    }
    // Ids grow with time but for those of transactions that overlap: a bound of ids, widely drawn, keeps a search for a day
    // of long ago from reading all that came since.
    if let Some(since) = filter.since {
        let since = since.naive_utc();
        select
            .push(" and created_at >= ")
            .push_bind(since)
            .push(" and id >= coalesce((select first.id - 10000 from audit_events as first where first.created_at >= ");
        select.push_bind(since).push(" order by first.created_at limit 1), 0)");
    }
    if let Some(until) = filter.until {
        let until = until.naive_utc();
        select
            .push(" and created_at < ")
            .push_bind(until)
            .push(" and id <= coalesce((select next.id + 10000 from audit_events as next where next.created_at >= ");
        select.push_bind(until).push(" order by next.created_at limit 1), 9223372036854775807)");
    }
    let page: Page<Row> = paging::fetch(db, select, filter.order(), request).await?;
    let rows = page.rows.into_iter().map(|row| EventRow {
        id: row.id,
        created_at: row.created_at,
        author: row.author,
        entity: row.entity,
        target: row.target,
        ip_address: row.ip_address,
        details: row.details,
    });
    Ok(Page { rows: rows.collect(), has_before: page.has_before, has_after: page.has_after })
}
