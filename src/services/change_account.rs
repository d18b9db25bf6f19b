//! An administrator changes the state of an account over the REST API.

use chrono::{DateTime, Utc};

use super::block_user::{StateWay, go};
use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::account_change::{AccountChange, AccountFacts, AccountRefusal, AccountVerdict};
use crate::domain::audit::{AuditEntity, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::domain::user_type::UserType;
use crate::store::rest::{accounts, users};
use crate::store::{Db, audit_events, two_factor};

/// Why an account stays what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChangeRefusal {
    /// There is no such account.
    NoSuchUser,
    /// It is in a state from which there is no such way.
    State(AccountRefusal),
    /// It has no second factor.
    NoTwoFactor,
    /// It is an administrator's, whose second factor stays.
    Administrator,
}

/// Changes the account's state. The answer says whether it has: `None` where it was so before.
pub async fn change(
    db: &Db,
    user: UserId,
    change: AccountChange,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<Option<bool>, AccountChangeRefusal> {
    let mut transaction = db.begin().await?;
    let known = accounts::lock(&mut *transaction, user).await?;
    let profile = users::list_profiles(&mut *transaction, &[user.0]).await?.pop();
    let Some(profile) = profile.filter(|_| known) else {
        return Err(ServiceError::Refused(AccountChangeRefusal::NoSuchUser));
    };
    let state = profile.basic.state;
    let facts = AccountFacts {
        state: &state,
        kind: UserType::from_number(profile.user_type),
        own: user == by.acting(),
        last_activity_on: profile.last_activity_on,
    };
    let to = match change.judge(facts, now.date_naive()) {
        AccountVerdict::Stays { already } => return Ok((!already).then_some(false)),
        AccountVerdict::Refused(refusal) => {
            return Err(ServiceError::Refused(AccountChangeRefusal::State(refusal)));
        }
        AccountVerdict::Becomes(to) if to == state => return Ok(Some(true)),
        AccountVerdict::Becomes(to) => to,
    };
    let way = StateWay { user, username: &profile.basic.username, from: &state, to };
    let event = go(&mut transaction, way, event_name(change), by, now).await?;
    transaction.commit().await?;
    if let Some(event) = event {
        audit_log::log(&event);
    }
    Ok(Some(true))
}

fn event_name(change: AccountChange) -> EventName {
    match change {
        AccountChange::Block => EventName::UserBlocked,
        AccountChange::Unblock => EventName::UserUnblocked,
        AccountChange::Deactivate => EventName::UserDeactivated,
        AccountChange::Activate => EventName::UserActivated,
        AccountChange::Ban => EventName::UserBanned,
        AccountChange::Unban => EventName::UserUnbanned,
        AccountChange::Approve => EventName::UserApproved,
    }
}

/// Takes an account's second factor away: its one-time passwords, its recovery codes and its security keys.
pub async fn disable_two_factor(
    db: &Db,
    user: UserId,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<(), AccountChangeRefusal> {
    let mut transaction = db.begin().await?;
    let known = accounts::lock(&mut *transaction, user).await?;
    let profile = users::list_profiles(&mut *transaction, &[user.0]).await?.pop();
    let Some(profile) = profile.filter(|_| known) else {
        return Err(ServiceError::Refused(AccountChangeRefusal::NoSuchUser));
    };
    // Who can take over another administrator's account by its password alone is not let do so.
    if profile.admin {
        return Err(ServiceError::Refused(AccountChangeRefusal::Administrator));
    }
    if !profile.two_factor {
        return Err(ServiceError::Refused(AccountChangeRefusal::NoTwoFactor));
    }
    two_factor::delete_otp_secret(&mut *transaction, user).await?;
    two_factor::delete_security_keys(&mut *transaction, user).await?;
    let entity = AuditEntity::User(user, profile.basic.username);
    let event = by.event(EventName::TwoFactorDisabled, entity, "Second factor taken away");
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}
