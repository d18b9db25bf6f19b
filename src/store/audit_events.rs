//! What happened to credentials: written with what happened, and read by operators.

use std::net::IpAddr;

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent};

/// Writes an event down, in the transaction of what happened.
pub async fn insert(db: impl PgExecutor<'_>, event: &AuditEvent, now: DateTime<Utc>) -> Result<()> {
    let (author, author_name) = author(&event.author);
    let (entity_type, entity, path) = match &event.entity {
        AuditEntity::Instance => ("Gitlab::Audit::InstanceScope", 1, "gitlab_instance"),
        AuditEntity::User(id, username) => ("User", id.0, username.as_str()),
        AuditEntity::Group(id, path) => ("Group", id.0, path.as_str()),
        AuditEntity::Project(id, path) => ("Project", id.0, path.as_str()),
    };
    let target = event.target.as_ref();
    sqlx::query!(
        "insert into audit_events (
           author_id, author_name, entity_type, entity_id, entity_path, target_type, target_id, target_details,
           ip_address, details, created_at
         )
         values ($1, left($2, 255), $3, $4, left($5, 5500), $6, $7, left($8, 5500), $9::text::inet, $10, $11)",
        author,
        author_name,
        entity_type,
        entity,
        path,
        target.map(|target| target.kind),
        target.map(|target| target.id),
        target.map(|target| target.details.as_str()),
        event.ip_address.as_ref().map(IpAddr::to_string),
        details(event, author_name),
        now.naive_utc(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// GitLab's ids of authors that are no users.
fn author(author: &AuditAuthor) -> (i64, &str) {
    match author {
        AuditAuthor::Unknown => (-1, "An unauthenticated user"),
        // GitLab's own id of it, with another name.
        AuditAuthor::System => (-1, "(System)"),
        AuditAuthor::DeployKey(_) => (-3, "Deploy key"),
        AuditAuthor::User(id, username) => (id.0, username),
    }
}

/// The hash as Ruby's YAML reads it. A JSON string is a quoted string of YAML too.
fn details(event: &AuditEvent, author_name: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "---\n:event_name: {}\n:author_name: {}\n:author_class: {}\n:custom_message: {}\n",
        event.name.as_str(),
        quoted(author_name),
        match event.author {
            AuditAuthor::Unknown | AuditAuthor::System => "Gitlab::Audit::UnauthenticatedAuthor",
            AuditAuthor::DeployKey(_) => "Gitlab::Audit::DeployKeyAuthor",
            AuditAuthor::User(..) => "User",
        },
        quoted(&event.message),
    )
}

/// An event, as it lies in the table.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// `audit_events.id`
    pub id: i64,
    /// `audit_events.created_at`
    pub created_at: NaiveDateTime,
    /// `audit_events.author_name`
    pub author: String,
    /// `audit_events.entity_type` and `entity_path`
    pub entity: String,
    /// `audit_events.target_type`, `target_id` and `target_details`
    pub target: String,
    /// `audit_events.ip_address`
    pub ip_address: Option<String>,
    /// `audit_events.details`
    pub details: String,
}

impl EventRow {
    /// A value of the details, such as `event_name`.
    #[must_use]
    pub fn detail(&self, name: &str) -> Option<String> {
        let text = self.details.lines().find_map(|line| line.strip_prefix(&format!(":{name}: ")))?;
        Some(serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()))
    }
}

/// The newest events with an id above `after`, at most `limit` of them, oldest first.
pub async fn list(db: impl PgExecutor<'_>, after: i64, limit: u32) -> Result<Vec<EventRow>> {
    let mut rows = sqlx::query_as!(
        EventRow,
        r#"
        select
          id,
          created_at,
          coalesce(author_name, author_id::text) as "author!",
          concat_ws(' ', entity_type, entity_path) as "entity!",
          concat_ws(' ', target_type, target_id::text, nullif(target_details, '')) as "target!",
          host(ip_address) as "ip_address?",
          coalesce(details, '') as "details!"
        from audit_events
        where id > $1
        order by id desc
        limit $2
        "#,
        after,
        i64::from(limit),
    )
    .fetch_all(db)
    .await?;
    rows.reverse();
    Ok(rows)
}
