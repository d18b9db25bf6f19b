//! An administrator blocks an account, and unblocks it.

use chrono::{DateTime, Utc};

use super::admin_sessions::Administrator;
use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::audit::{AuditEntity, EventName};
use crate::domain::ids::UserId;
use crate::store::{Db, audit_events, scim_users, users};

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
    change(db, user, StateChange { from: &["active", "deactivated", "ldap_blocked"], to: "blocked" }, by, now).await
}

/// Unblocks an account that an administrator blocked or banned, or that was deactivated. Whom an identity provider has
/// blocked, it unblocks; and who waits for approval was never let in.
pub async fn unblock(
    db: &Db,
    user: UserId,
    by: &Administrator,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserStateRefusal> {
    change(db, user, StateChange { from: &["blocked", "banned", "deactivated"], to: "active" }, by, now).await
}

struct StateChange {
    from: &'static [&'static str],
    to: &'static str,
}

async fn change(
    db: &Db,
    user: UserId,
    change: StateChange,
    by: &Administrator,
    now: DateTime<Utc>,
) -> ServiceResult<(), UserStateRefusal> {
    let mut transaction = db.begin().await?;
    let Some(row) = users::find(&mut *transaction, user).await? else {
        return Err(ServiceError::Refused(UserStateRefusal::NoSuchUser));
    };
    let from: Vec<String> = change.from.iter().map(|state| (*state).to_owned()).collect();
    if !users::update_state(&mut *transaction, user, &from, change.to).await? {
        return Err(ServiceError::Refused(UserStateRefusal::State(row.state)));
    }
    let blocks = change.to == "blocked";
    if blocks {
        scim_users::delete_otp_sessions(&mut *transaction, user).await?;
    }
    let name = if blocks { EventName::UserBlocked } else { EventName::UserUnblocked };
    let message = format!("Was {}, is {}", row.state, change.to);
    let event = by.event(name, AuditEntity::User(user, row.username), message);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}
