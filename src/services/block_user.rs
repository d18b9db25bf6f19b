//! An administrator blocks an account, and unblocks it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::admin_sessions::Administrator;
use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::audit::{AuditEntity, AuditEvent, EventAuthor, EventName};
use crate::domain::ids::UserId;
use crate::store::{self, Db, audit_events, scim_users, users};

/// Why an account stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserStateRefusal {
    /// There is no such account.
    NoSuchUser,
    /// Nobody locks themselves out.
    Oneself,
    /// It is in a state from which there is no such way.
    State(String),
}

/// Blocks an account: it is refused from the next request on, and so are its keys, tokens and sessions.
pub async fn block(
    db: &Db,
    user: UserId,
    by: &Administrator,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserStateRefusal> {
    if user == by.id {
        return Err(ServiceError::Refused(UserStateRefusal::Oneself));
    }
    change(db, user, &["active", "deactivated", "ldap_blocked"], "blocked", by, now).await
}

/// Unblocks an account that an administrator blocked or banned, or that was deactivated. Whom an identity provider has
/// blocked, it unblocks; and who waits for approval was never let in.
pub async fn unblock(
    db: &Db,
    user: UserId,
    by: &Administrator,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserStateRefusal> {
    change(db, user, &["blocked", "banned", "deactivated"], "active", by, now).await
}

async fn change(
    db: &Db,
    user: UserId,
    from: &[&str],
    to: &'static str,
    by: &Administrator,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserStateRefusal> {
    let mut transaction = db.begin().await?;
    let Some(row) = users::find(&mut *transaction, user).await? else {
        return Err(ServiceError::Refused(UserStateRefusal::NoSuchUser));
    };
    let way = StateWay { user, username: &row.username, from: &row.state, to };
    let name = if to == "blocked" { EventName::UserBlocked } else { EventName::UserUnblocked };
    let event = if from.contains(&row.state.as_str()) { go(&mut transaction, way, name, by, now).await? } else { None };
    let Some(event) = event else { return Err(ServiceError::Refused(UserStateRefusal::State(row.state))) };
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}

/// An account's way from one state to another.
pub(super) struct StateWay<'a> {
    pub(super) user: UserId,
    pub(super) username: &'a str,
    pub(super) from: &'a str,
    pub(super) to: &'static str,
}

/// Brings the account into its new state, and writes down who did it; nothing where it is in another one meanwhile. What
/// a one-time password opened is shut again with the account.
pub(super) async fn go(
    conn: &mut PgConnection,
    way: StateWay<'_>,
    name: EventName,
    by: &impl EventAuthor,
    now: DateTime<Utc>,
) -> store::Result<Option<AuditEvent>> {
    let StateWay { user, username, from, to } = way;
    if !users::update_state(&mut *conn, user, &[from.to_owned()], to).await? {
        return Ok(None);
    }
    if to != "active" {
        scim_users::delete_otp_sessions(&mut *conn, user).await?;
    }
    let entity = AuditEntity::User(user, username.to_owned());
    let event = by.did(name, entity, format!("Was {from}, is {to}"));
    audit_events::insert(&mut *conn, &event, now).await?;
    Ok(Some(event))
}
