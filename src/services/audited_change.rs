//! One object that somebody changes through the API: its transaction, and the audit event that is written in it.

use chrono::{DateTime, NaiveDate, Utc};

use super::audit_log;
use crate::domain::audit::{AuditEntity, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::store::{self, Db, Transaction, audit_events, locks};

/// Who changes something, and where.
#[derive(Debug, Clone)]
pub struct AuditedChange<'a> {
    /// The database.
    pub db: &'a Db,
    /// Who does it.
    pub by: RestAuthor,
    /// The project, group or installation that the object belongs to.
    pub entity: AuditEntity,
    /// When.
    pub now: DateTime<Utc>,
}

/// The object that changes: its kind in GitLab's words, its id, and its name.
pub type ChangedObject<'a> = (&'static str, i64, &'a str);

impl AuditedChange<'_> {
    /// As whom it happens.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.by.acting()
    }

    /// The day.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.now.date_naive()
    }

    /// Begins the change. What the object belongs to stays until the end, for nobody deletes it meanwhile.
    ///
    /// # Errors
    /// [`store::Error::is_gone`] where somebody did before.
    pub async fn begin(&self) -> store::Result<Transaction> {
        let mut transaction = self.db.begin().await?;
        self.keep(&mut transaction).await?;
        Ok(transaction)
    }

    /// The same within a transaction that has begun with other locks.
    ///
    /// # Errors
    /// [`store::Error::is_gone`] where somebody deleted what the object belongs to.
    pub async fn keep(&self, transaction: &mut Transaction) -> store::Result<()> {
        match &self.entity {
            AuditEntity::Project(id, _) => locks::keep_project(transaction, *id).await,
            AuditEntity::Group(id, _) => locks::keep_namespace(transaction, *id).await,
            AuditEntity::Instance | AuditEntity::User(..) => Ok(()),
        }
    }

    /// Writes down what has happened to the object, and makes all of it last.
    pub async fn commit(
        &self,
        mut transaction: Transaction,
        name: EventName,
        (kind, id, details): ChangedObject<'_>,
        message: impl Into<String>,
    ) -> store::Result<()> {
        let event = self.by.event(name, self.entity.clone(), message).with_target(kind, id, details);
        audit_events::insert(&mut *transaction, &event, self.now).await?;
        transaction.commit().await?;
        audit_log::log(&event);
        Ok(())
    }
}
