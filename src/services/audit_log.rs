//! An audit event: its row in the table, and its log line.

use chrono::{DateTime, Utc};

use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent};
use crate::store::{self, Db, audit_events};

/// Writes the event's row and logs it: for what needs no transaction with other rows.
pub async fn record(db: &Db, event: &AuditEvent, now: DateTime<Utc>) -> store::Result<()> {
    audit_events::insert(db.pool(), event, now).await?;
    log(event);
    Ok(())
}

/// Logs what happened to a credential. Called once it has: after the transaction that wrote the row.
pub fn log(event: &AuditEvent) {
    let (author, author_name) = match &event.author {
        AuditAuthor::Unknown => (None, None),
        AuditAuthor::System => (None, Some("(System)".to_owned())),
        AuditAuthor::DeployKey(id) => (None, Some(format!("deploy key {id}"))),
        AuditAuthor::User(id, username) => (Some(id.0), Some(username.clone())),
    };
    let (entity, entity_id) = match &event.entity {
        AuditEntity::Instance => ("instance", None),
        AuditEntity::User(id, _) => ("user", Some(id.0)),
        AuditEntity::Group(id, _) => ("group", Some(id.0)),
        AuditEntity::Project(id, _) => ("project", Some(id.0)),
    };
    tracing::info!(
        audit = event.name.as_str(),
        author.id = author,
        author.name = author_name,
        entity.kind = entity,
        entity.id = entity_id,
        target.kind = event.target.as_ref().map(|target| target.kind),
        target.id = event.target.as_ref().map(|target| target.id),
        ip_address = event.ip_address.map(tracing::field::display),
        reason = event.message,
        "audit"
    );
}
