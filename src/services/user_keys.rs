//! A user gets an SSH key or a further address, or loses one, over the REST API.

use chrono::{DateTime, Utc};

use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::audit::{AuditEntity, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::domain::record_faults::{BLANK, RecordFaults, TAKEN};
use crate::domain::ssh_key::PublicKey;
use crate::domain::user_account;
use crate::store::locks::{WantedName, take_names};
use crate::store::rest::accounts;
use crate::store::rest::keys::{self, ListedEmail, NewUserKey};
use crate::store::{self, Db, audit_events, settings, users};

/// A key that a user is to have.
#[derive(Debug, Clone)]
pub struct KeyWish {
    /// Its title.
    pub title: String,
    /// Its line.
    pub key: String,
    /// `keys.usage_type`
    pub usage_type: i16,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a user does not get what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserRowRefusal {
    /// There is no such user.
    NoSuchUser,
    /// Something is wrong with it.
    Faults(RecordFaults),
}

fn refused(faults: RecordFaults) -> ServiceResult<(), UserRowRefusal> {
    faults.into_result().map_err(|faults| ServiceError::Refused(UserRowRefusal::Faults(faults)))
}

/// Gives a user a key: its id.
pub async fn add_key(
    db: &Db,
    user: UserId,
    wish: KeyWish,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<i64, UserRowRefusal> {
    let mut transaction = db.begin().await?;
    let Some(owner) = users::find(&mut *transaction, user).await? else {
        return Err(ServiceError::Refused(UserRowRefusal::NoSuchUser));
    };
    let mut faults = RecordFaults::default();
    if wish.title.trim().is_empty() {
        faults.add("title", BLANK);
    }
    faults.check_length("title", Some(&wish.title), 255);
    let Ok(key) = PublicKey::parse(&wish.key) else {
        faults.add("key", "is invalid");
        return Err(ServiceError::Refused(UserRowRefusal::Faults(faults)));
    };
    settings::find(&mut *transaction).await?.key_policy().check(&mut faults, &key, wish.expires_at, now);
    refused(faults)?;
    let sha256 = key.sha256();
    let row = NewUserKey {
        user,
        title: &wish.title,
        key: key.text(),
        sha256: &sha256,
        usage_type: wish.usage_type,
        expires_at: wish.expires_at,
    };
    let id = keys::insert(&mut *transaction, row, now).await.map_err(taken("fingerprint_sha256"))?;
    let event = by.event(EventName::KeyAdded, AuditEntity::User(user, owner.username), "Key added");
    let event = event.with_target("Key", id, wish.title);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(id)
}

/// Gives a user a further address.
pub async fn add_email(
    db: &Db,
    user: UserId,
    email: &str,
    confirmed: bool,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<ListedEmail, UserRowRefusal> {
    let mut transaction = db.begin().await?;
    let Some(owner) = users::find(&mut *transaction, user).await? else {
        return Err(ServiceError::Refused(UserRowRefusal::NoSuchUser));
    };
    let mut faults = RecordFaults::default();
    user_account::check_address(&mut faults, email);
    refused(faults)?;
    take_names(&mut *transaction, &[WantedName::Email(email)]).await?;
    // The user's own first address is taken as well: it is there already.
    if accounts::find_conflicts(&mut *transaction, None, Some(email), None).await?.address {
        refused(RecordFaults::of("email", TAKEN))?;
    }
    let row =
        keys::insert_email(&mut *transaction, user, email, confirmed.then_some(now)).await.map_err(taken("email"))?;
    let event = by.event(EventName::EmailAdded, AuditEntity::User(user, owner.username), "Address added");
    let event = event.with_target("Email", row.id, "");
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(row)
}

/// Takes a further address from a user; false where they have none such.
pub async fn remove_email(db: &Db, user: UserId, id: i64, by: &RestAuthor, now: DateTime<Utc>) -> store::Result<bool> {
    let mut transaction = db.begin().await?;
    let Some(owner) = users::find(&mut *transaction, user).await? else { return Ok(false) };
    let Some(email) = keys::delete_email(&mut *transaction, user, id).await? else { return Ok(false) };
    // What the address stood for does not outlive it.
    accounts::forget_address(&mut *transaction, user, &email).await?;
    let event = by.event(EventName::EmailRemoved, AuditEntity::User(user, owner.username), "Address removed");
    let event = event.with_target("Email", id, "");
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(true)
}

/// Of two who add the same at once, the unique index lets one through.
fn taken(field: &'static str) -> impl Fn(store::Error) -> ServiceError<UserRowRefusal> {
    move |error| match error {
        store::Error::Duplicate(_) => ServiceError::Refused(UserRowRefusal::Faults(RecordFaults::of(field, TAKEN))),
        error => error.into(),
    }
}
