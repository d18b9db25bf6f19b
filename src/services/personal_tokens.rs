//! Personal access tokens that are made, changed for new ones and taken back over the REST API.

use chrono::{DateTime, Days, NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::{ServiceError, ServiceResult, audit_log};
use crate::crypto::secrets::token_salt;
use crate::domain::audit::{AuditEntity, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::{ADMIN_SCOPES, EndsTooLate};
use crate::domain::record_faults::{BLANK, RecordFaults};
use crate::domain::token;
use crate::store::rest::tokens::{self as rest_tokens, NewToken};
use crate::store::{Db, audit_events, tokens, users};

/// A token that is asked for.
#[derive(Debug, Clone)]
pub struct TokenWish {
    /// Whose it will be.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it may do; words of [`crate::domain::personal_access_token::ALL_SCOPES`].
    pub scopes: Vec<String>,
    /// From this day on it is dead; as late as it may be, where none is named.
    pub expires_at: Option<NaiveDate>,
    /// For an administrator to act as its owner.
    pub impersonation: bool,
}

/// Why no token is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenWishRefusal {
    /// There is no such user.
    NoSuchUser,
    /// There is no such token.
    NoSuchToken,
    /// The installation wants none.
    Disabled,
    /// It was taken back.
    Revoked,
    /// It would live longer than it may.
    TooLong(NaiveDate),
    /// Something else is wrong with it.
    Faults(RecordFaults),
}

/// A token that was made: its id, and its text, which nobody will see again.
#[derive(Debug)]
pub struct MintedToken {
    /// Its id.
    pub id: i64,
    /// Its text.
    pub text: SecretString,
}

/// How long a token lives that took the place of another, where no end is named.
const ROTATED_LIFE: Days = Days::new(7);

/// Makes a token.
pub async fn create(
    db: &Db,
    db_key_base: &SecretString,
    wish: TokenWish,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<MintedToken, TokenWishRefusal> {
    let mut transaction = db.begin().await?;
    let Some(owner) = users::find(&mut *transaction, wish.user).await? else {
        return Err(ServiceError::Refused(TokenWishRefusal::NoSuchUser));
    };
    let policy = tokens::find_policy(&mut *transaction, Some(wish.user)).await?;
    judge(&wish, owner.admin).map_err(ServiceError::Refused)?;
    if policy.disabled {
        return Err(ServiceError::Refused(TokenWishRefusal::Disabled));
    }
    let end = policy.end(wish.expires_at, now.date_naive());
    let expires_at = end.map_err(|EndsTooLate(last)| ServiceError::Refused(TokenWishRefusal::TooLong(last)))?;
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = NewToken {
        user: wish.user,
        name: wish.name,
        description: wish.description,
        digest: token::digest(text.expose_secret(), token_salt(db_key_base)),
        scopes: token::scopes_to_yaml(&wish.scopes),
        expires_at,
        impersonation: wish.impersonation,
        previous: None,
    };
    let id = rest_tokens::insert(&mut *transaction, &row, now).await?;
    let entity = AuditEntity::User(wish.user, owner.username);
    let event = by.event(EventName::TokenIssued, entity, format!("Scopes: {}", wish.scopes.join(", ")));
    let event = event.with_target("PersonalAccessToken", id, row.name);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(MintedToken { id, text })
}

fn judge(wish: &TokenWish, admin: bool) -> Result<(), TokenWishRefusal> {
    let mut faults = RecordFaults::default();
    if wish.name.trim().is_empty() {
        faults.add("name", BLANK);
    }
    faults.check_length("name", Some(&wish.name), 255);
    faults.check_length("description", wish.description.as_deref(), 255);
    if wish.scopes.is_empty() {
        faults.add("scopes", BLANK);
    }
    if !admin && wish.scopes.iter().any(|scope| ADMIN_SCOPES.contains(&scope.as_str())) {
        faults.add("scopes", "can only contain available scopes");
    }
    faults.into_result().map_err(TokenWishRefusal::Faults)
}

/// Makes a token like this one and takes this one back, both at once: of two who rotate it, one is told that it was taken
/// back.
pub async fn rotate(
    db: &Db,
    db_key_base: &SecretString,
    id: i64,
    expires_at: Option<NaiveDate>,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> ServiceResult<MintedToken, TokenWishRefusal> {
    let mut transaction = db.begin().await?;
    let Some(old) = rest_tokens::find(&mut *transaction, id).await? else {
        return Err(ServiceError::Refused(TokenWishRefusal::NoSuchToken));
    };
    let user = UserId(old.user_id);
    let Some(owner) = users::find(&mut *transaction, user).await? else {
        return Err(ServiceError::Refused(TokenWishRefusal::NoSuchUser));
    };
    let policy = tokens::find_policy(&mut *transaction, Some(user)).await?;
    let today = now.date_naive();
    let last = policy.last_day(today);
    let usual = today.checked_add_days(ROTATED_LIFE).map(|day| last.map_or(day, |last| day.min(last)));
    let end = policy.end(expires_at.or(usual), today);
    let expires_at = end.map_err(|EndsTooLate(last)| ServiceError::Refused(TokenWishRefusal::TooLong(last)))?;
    if !tokens::revoke(&mut *transaction, id).await? {
        return Err(ServiceError::Refused(TokenWishRefusal::Revoked));
    }
    let text = SecretString::from(token::mint(&policy.prefix, rand::random()));
    let row = NewToken {
        user,
        name: old.name.clone(),
        description: old.description.clone(),
        digest: token::digest(text.expose_secret(), token_salt(db_key_base)),
        scopes: token::scopes_to_yaml(&old.scopes()),
        expires_at,
        impersonation: old.impersonation,
        previous: Some(id),
    };
    let new = rest_tokens::insert(&mut *transaction, &row, now).await?;
    let event =
        by.event(EventName::TokenRotated, AuditEntity::User(user, owner.username), format!("Is token {new} now"));
    let event = event.with_target("PersonalAccessToken", id, row.name);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(MintedToken { id: new, text })
}

/// Takes a token back; nothing happens where that was done before.
pub async fn revoke(db: &Db, id: i64, by: &RestAuthor, now: DateTime<Utc>) -> ServiceResult<(), TokenWishRefusal> {
    let mut transaction = db.begin().await?;
    let Some((name, user, username)) = tokens::find_owner(&mut *transaction, id).await? else {
        return Err(ServiceError::Refused(TokenWishRefusal::NoSuchToken));
    };
    if !tokens::revoke(&mut *transaction, id).await? {
        return Ok(());
    }
    let event = by.event(EventName::TokenRevoked, AuditEntity::User(user, username), "Revoked over the REST API");
    let event = event.with_target("PersonalAccessToken", id, name);
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}
