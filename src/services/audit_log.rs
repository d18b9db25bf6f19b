//! The log line of an audit event, beside its row in the table.

use crate::domain::audit::{Author, Entity, Event};

/// Logs what happened to a credential. Called once it has: after the transaction that wrote the row.
pub fn log(event: &Event) {
    let (author, author_name) = match &event.author {
        Author::Unknown => (None, None),
        Author::System => (None, Some("(System)".to_owned())),
        Author::DeployKey(id) => (None, Some(format!("deploy key {id}"))),
        Author::User(id, username) => (Some(id.0), Some(username.clone())),
    };
    let (entity, entity_id) = match &event.entity {
        Entity::Instance => ("instance", None),
        Entity::User(id, _) => ("user", Some(id.0)),
        Entity::Group(id, _) => ("group", Some(id.0)),
        Entity::Project(id, _) => ("project", Some(id.0)),
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
