//! Keys and tokens that end soon, and those that nobody uses.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::{FromRow, QueryBuilder};

use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// A key.
#[derive(Debug, Clone, FromRow)]
pub struct KeyRow {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub title: String,
    /// Whether it is a deploy key.
    pub deploy: bool,
    /// Whose it is.
    pub user_id: Option<i64>,
    /// Their username.
    pub username: String,
    /// Its end.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used.
    pub last_used_at: Option<NaiveDateTime>,
    /// When it was last used, or made.
    pub sort_key: Option<NaiveDateTime>,
}

/// A token.
#[derive(Debug, Clone, FromRow)]
pub struct TokenRow {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Whose it is.
    pub user_id: i64,
    /// Their username.
    pub username: String,
    /// The day from which on it is dead.
    pub expires_at: Option<NaiveDate>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was last used, or made.
    pub sort_key: DateTime<Utc>,
}

const KEYS: &str =
    "select keys.id, coalesce(title, '') as title, type is not distinct from 'DeployKey' as deploy, user_id,
    coalesce(users.username, '') as username, keys.expires_at, keys.last_used_at,
    coalesce(keys.last_used_at, keys.created_at) as sort_key
  from keys
  left join users on users.id = keys.user_id
  where ";
const TOKENS: &str = "select token.id, token.name, token.user_id, coalesce(users.username, '') as username,
    token.expires_at, token.last_used_at,
    coalesce(token.last_used_at, token.created_at at time zone 'utc') as sort_key
  from personal_access_tokens as token
  join users on users.id = token.user_id
  where token.revoked is not true";

/// A page of the keys that end after now and before `until`, the first to end first.
pub async fn list_ending_keys(
    db: &Db,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    request: &PageRequest,
) -> Result<Page<KeyRow>> {
    let mut select = QueryBuilder::new(KEYS);
    select.push("keys.expires_at > ").push_bind(now).push(" and keys.expires_at <= ").push_bind(until);
    paging::fetch(db, select, KeyOrder { columns: &["keys.expires_at", "keys.id"], descending: false }, request).await
}

/// A page of the keys that were neither made nor used since then, the oldest use first.
pub async fn list_unused_keys(
    db: &Db,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    request: &PageRequest,
) -> Result<Page<KeyRow>> {
    let mut select = QueryBuilder::new(KEYS);
    select.push("coalesce(keys.last_used_at, keys.created_at) < ").push_bind(since.naive_utc());
    select.push(" and (keys.expires_at is null or keys.expires_at > ").push_bind(now).push(")");
    let order = KeyOrder { columns: &["coalesce(keys.last_used_at, keys.created_at)", "keys.id"], descending: false };
    paging::fetch(db, select, order, request).await
}

/// A page of the tokens that end after today and not after `until`, the first to end first.
pub async fn list_ending_tokens(
    db: &Db,
    today: NaiveDate,
    until: NaiveDate,
    request: &PageRequest,
) -> Result<Page<TokenRow>> {
    let mut select = QueryBuilder::new(TOKENS);
    select.push(" and token.expires_at > ").push_bind(today).push(" and token.expires_at <= ").push_bind(until);
    paging::fetch(db, select, KeyOrder { columns: &["token.expires_at", "token.id"], descending: false }, request).await
}

/// A page of the tokens that were neither made nor used since then, the oldest use first.
pub async fn list_unused_tokens(
    db: &Db,
    since: DateTime<Utc>,
    today: NaiveDate,
    request: &PageRequest,
) -> Result<Page<TokenRow>> {
    let order = KeyOrder {
        columns: &["coalesce(token.last_used_at, token.created_at at time zone 'utc')", "token.id"],
        descending: false,
    };
    let mut select = QueryBuilder::new(TOKENS);
    select.push(" and ").push(order.columns[0]).push(" < ").push_bind(since);
    select.push(" and (token.expires_at is null or token.expires_at > ").push_bind(today).push(")");
    paging::fetch(db, select, order, request).await
}

impl KeyRow {
    /// What the list of those that end is sorted by.
    #[must_use]
    pub fn end_key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Moment(self.expires_at.unwrap_or_default()), KeyValue::Number(self.id)]
    }

    /// What the list of those that nobody uses is sorted by.
    #[must_use]
    pub fn use_key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Local(self.sort_key.unwrap_or_default()), KeyValue::Number(self.id)]
    }
}

impl TokenRow {
    /// What the list of those that end is sorted by.
    #[must_use]
    pub fn end_key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Day(self.expires_at.unwrap_or_default()), KeyValue::Number(self.id)]
    }

    /// What the list of those that nobody uses is sorted by.
    #[must_use]
    pub fn use_key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Moment(self.sort_key), KeyValue::Number(self.id)]
    }
}
