//! What a handler begins a change with: who does it, and to what it is done.

use chrono::NaiveDate;

use super::RestState;
use super::found::{FoundGroup, FoundProject};
use crate::domain::audit::AuditEntity;
use crate::http::auth::rest::RestCaller;
use crate::services::audited_change::AuditedChange;

impl RestState {
    /// A change of something that belongs to the project.
    #[must_use]
    pub fn change_in_project(&self, caller: &RestCaller, project: &FoundProject) -> AuditedChange<'_> {
        self.change(caller, AuditEntity::Project(project.id, project.full_path.clone()))
    }

    /// A change of something that belongs to the group.
    #[must_use]
    pub fn change_in_group(&self, caller: &RestCaller, group: &FoundGroup) -> AuditedChange<'_> {
        self.change(caller, AuditEntity::Group(group.id, group.full_path.clone()))
    }

    /// A change of something that belongs to the installation.
    #[must_use]
    pub fn change_in_instance(&self, caller: &RestCaller) -> AuditedChange<'_> {
        self.change(caller, AuditEntity::Instance)
    }

    fn change(&self, caller: &RestCaller, entity: AuditEntity) -> AuditedChange<'_> {
        AuditedChange { db: &self.db, by: caller.author(), entity, now: self.clock.now() }
    }

    /// The day.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.clock.now().date_naive()
    }
}
