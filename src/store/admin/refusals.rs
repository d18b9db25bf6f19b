//! Refused attempts as administrators search them.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{FromRow, QueryBuilder};

use crate::domain::ids::{ProjectId, UserId};
use crate::store::access_refusals::{AccessRefusal, KeptRefusal, RefusalFilter};
use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    created_at: DateTime<Utc>,
    rule: String,
    message: String,
    actor: String,
    user_id: Option<i64>,
    username: Option<String>,
    target: String,
    project_id: Option<i64>,
    command: String,
    protocol: String,
    ref_name: Option<String>,
    old_id: Option<String>,
    new_id: Option<String>,
    client_ip: Option<String>,
    correlation_id: String,
    skipped: i64,
}

/// What the list is sorted by.
#[must_use]
pub fn key(refusal: &KeptRefusal) -> Vec<KeyValue> {
    vec![KeyValue::Number(refusal.id)]
}

/// A page of the refusals that the filter lets through, the newest first.
pub async fn list(db: &Db, filter: &RefusalFilter, request: &PageRequest) -> Result<Page<KeptRefusal>> {
    let mut select = QueryBuilder::new(
        "select id, created_at, rule, message, actor, user_id, username, target, project_id, command, protocol, ref_name,
           old_id, new_id, host(client_ip) as client_ip, correlation_id, skipped
         from access_refusals
         where true",
    );
    if let Some(user) = filter.user {
        select.push(" and user_id = ").push_bind(user.0);
    }
    if let Some(project) = filter.project {
        select.push(" and project_id = ").push_bind(project.0);
    }
    if let Some(rule) = &filter.rule {
        select.push(" and rule = ").push_bind(rule.clone());
    }
    if let Some(correlation_id) = &filter.correlation_id {
        select.push(" and correlation_id = ").push_bind(correlation_id.clone());
    }
    let page: Page<Row> = paging::fetch(db, select, KeyOrder { columns: &["id"], descending: true }, request).await?;
    let rows = page.rows.into_iter().map(|row| KeptRefusal {
        id: row.id,
        refusal: AccessRefusal {
            created_at: row.created_at,
            rule: row.rule,
            message: row.message,
            actor: row.actor,
            user: row.user_id.map(UserId),
            username: row.username,
            target: row.target,
            project: row.project_id.map(ProjectId),
            command: row.command,
            protocol: row.protocol,
            ref_name: row.ref_name,
            old_id: row.old_id,
            new_id: row.new_id,
            client_ip: row.client_ip.and_then(|ip| ip.parse::<IpAddr>().ok()),
            correlation_id: row.correlation_id,
            skipped: row.skipped,
        },
    });
    Ok(Page { rows: rows.collect(), has_before: page.has_before, has_after: page.has_after })
}
