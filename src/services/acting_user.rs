//! Somebody who changes groups, projects and members through the public API.

use crate::domain::audit::{AuditEntity, AuditEvent, AuditTarget, EventName, RestAuthor};
use crate::domain::ids::UserId;

/// Who does something, and with what right.
#[derive(Debug, Clone)]
pub struct ActingUser {
    /// Who is written down as its author.
    pub author: RestAuthor,
    /// Whether they act as an administrator.
    pub admin: bool,
}

impl ActingUser {
    /// The user whose rights count.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.author.acting()
    }

    /// What they did to somebody or something.
    #[must_use]
    pub fn event(&self, name: EventName, entity: AuditEntity, message: impl Into<String>) -> AuditEvent {
        self.author.event(name, entity, message)
    }

    /// The same with somebody or something that it was done with.
    #[must_use]
    pub fn event_about(
        &self,
        name: EventName,
        entity: AuditEntity,
        target: AuditTarget,
        message: impl Into<String>,
    ) -> AuditEvent {
        AuditEvent { target: Some(target), ..self.event(name, entity, message) }
    }
}
