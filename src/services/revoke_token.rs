//! A personal access token ends itself.

use chrono::{DateTime, Utc};

use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::store::tokens::KnownToken;
use crate::store::{self, Db, audit_events, tokens};

/// Ends the token at once: the audit event that was written, or nothing where the token was at its end already.
pub async fn revoke(db: &Db, token: &KnownToken, now: DateTime<Utc>) -> store::Result<Option<AuditEvent>> {
    let owner = &token.presented.owner;
    let event = AuditEvent {
        name: EventName::TokenRevoked,
        author: AuditAuthor::User(owner.id, owner.username.clone()),
        entity: AuditEntity::User(owner.id, owner.username.clone()),
        target: Some(AuditTarget { kind: "PersonalAccessToken", id: token.id, details: token.name.clone() }),
        message: "Revoked by itself".to_owned(),
        ip_address: None,
    };
    let mut transaction = db.begin().await?;
    if !tokens::revoke(&mut *transaction, token.id).await? {
        return Ok(None);
    }
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    Ok(Some(event))
}
