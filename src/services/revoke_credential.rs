//! What somebody signs in with is taken back.

use chrono::{DateTime, Utc};

use super::audit_log;
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, EventAuthor, EventName};
use crate::domain::ids::KeyId;
use crate::store::{self, Db, audit_events, keys, tokens};

/// Revokes a personal access token: whose it was, and its name. Nothing where there is none that is good. Who does it on the
/// command line is nobody that we know.
pub async fn revoke_token(
    db: &Db,
    id: i64,
    by: Option<&dyn EventAuthor>,
    now: DateTime<Utc>,
) -> store::Result<Option<(String, String)>> {
    let mut transaction = db.begin().await?;
    let Some((name, user, username)) = tokens::find_owner(&mut *transaction, id).await? else { return Ok(None) };
    if !tokens::revoke(&mut *transaction, id).await? {
        return Ok(None);
    }
    let entity = AuditEntity::User(user, username.clone());
    let event = match by {
        Some(by) => by.did(EventName::TokenRevoked, entity, "Revoked by an administrator".to_owned()),
        None => AuditEvent {
            name: EventName::TokenRevoked,
            author: AuditAuthor::Unknown,
            entity,
            target: None,
            message: "Revoked on the command line".to_owned(),
            ip_address: None,
        },
    };
    let event = event.with_target("PersonalAccessToken", id, name.as_str());
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(Some((username, name)))
}

/// Removes a key of a user's, or a deploy key with all its uses: its title. Nothing where there is none.
pub async fn remove_key(
    db: &Db,
    id: KeyId,
    by: &impl EventAuthor,
    now: DateTime<Utc>,
) -> store::Result<Option<String>> {
    let mut transaction = db.begin().await?;
    let Some(key) = keys::remove(&mut transaction, id).await? else { return Ok(None) };
    let entity = key.user.map_or(AuditEntity::Instance, |(user, username)| AuditEntity::User(user, username));
    let message = if key.deploy { "Deploy key removed from all its projects" } else { "Key removed" };
    let kind = if key.deploy { "DeployKey" } else { "Key" };
    let event = by.did(EventName::KeyRemoved, entity, message.to_owned()).with_target(kind, id.0, key.title.as_str());
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(Some(key.title))
}
