//! Personal access tokens as their owners and administrators look at them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder};

use super::containing;
use super::lists::{ListPart, fetch_count, fetch_rows};
use crate::domain::ids::UserId;
use crate::domain::token::scopes_from_yaml;
use crate::store::{Db, Result};

/// A token, good or not.
#[derive(Debug, Clone, FromRow)]
pub struct ListedToken {
    /// `personal_access_tokens.id`
    pub id: i64,
    /// `personal_access_tokens.user_id`
    pub user_id: i64,
    /// `personal_access_tokens.name`
    pub name: String,
    /// `personal_access_tokens.description`
    pub description: Option<String>,
    /// `personal_access_tokens.scopes`, a YAML list
    scopes: String,
    /// `personal_access_tokens.revoked`
    pub revoked: bool,
    /// `personal_access_tokens.impersonation`
    pub impersonation: bool,
    /// `personal_access_tokens.created_at`
    pub created_at: NaiveDateTime,
    /// `personal_access_tokens.updated_at`
    pub updated_at: NaiveDateTime,
    /// `personal_access_tokens.last_used_at`
    pub last_used_at: Option<DateTime<Utc>>,
    /// `personal_access_tokens.expires_at`
    pub expires_at: Option<NaiveDate>,
}

impl ListedToken {
    /// What it may do.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        scopes_from_yaml(&self.scopes)
    }

    /// Whether it opens anything.
    #[must_use]
    pub fn is_active(&self, today: NaiveDate) -> bool {
        !self.revoked && self.expires_at.is_none_or(|day| day > today)
    }
}

const COLUMNS: &str = "
    select id, user_id, name, description, scopes, coalesce(revoked, false) as revoked, impersonation, created_at,
      updated_at, last_used_at, expires_at
    from personal_access_tokens
    where true";

/// Which tokens are looked for; what is left out says nothing.
#[derive(Debug, Clone, Default)]
pub struct TokenFilter {
    /// Whose they are.
    pub user: Option<UserId>,
    /// Made for an administrator to act as their owner, or not.
    pub impersonation: Option<bool>,
    /// Whether they open anything.
    pub active: Option<bool>,
    /// Whether they were taken back.
    pub revoked: Option<bool>,
    /// A part of their name.
    pub search: Option<String>,
    /// Made after and before.
    pub created: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// Last used after and before.
    pub last_used: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// That end after and before.
    pub expires: (Option<NaiveDate>, Option<NaiveDate>),
}

/// What tokens are sorted by, each with its direction.
pub const TOKEN_ORDERS: [(&str, &str); 8] = [
    ("created_asc", "created_at asc, id asc"),
    ("created_desc", "created_at desc, id desc"),
    ("expires_asc", "expires_at asc nulls last, id asc"),
    ("expires_desc", "expires_at desc nulls last, id desc"),
    ("last_used_asc", "last_used_at asc nulls first, id asc"),
    ("last_used_desc", "last_used_at desc nulls last, id desc"),
    ("name_asc", "lower(name) asc, id asc"),
    ("name_desc", "lower(name) desc, id desc"),
];

/// A stretch of the tokens, in one of [`TOKEN_ORDERS`], or by id.
pub async fn list(
    db: &Db,
    filter: &TokenFilter,
    order: Option<&'static str>,
    today: NaiveDate,
    (limit, offset): (i64, i64),
) -> Result<Vec<ListedToken>> {
    let mut query = QueryBuilder::new(COLUMNS);
    narrow(&mut query, filter, today);
    query.push(" order by ").push(order.unwrap_or("id asc"));
    ListPart { limit, offset }.push(&mut query);
    fetch_rows(db, &mut query).await
}

/// How many tokens there are, up to so many.
pub async fn count(db: &Db, filter: &TokenFilter, today: NaiveDate, most: i64) -> Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from (select from personal_access_tokens where true");
    narrow(&mut query, filter, today);
    query.push(" limit ").push(most).push(") as found");
    fetch_count(db, &mut query).await
}

/// The token of that id.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Option<ListedToken>> {
    let mut query = QueryBuilder::new(COLUMNS);
    query.push(" and id = ").push_bind(id);
    Ok(query.build_query_as().fetch_optional(db).await?)
}

fn narrow(query: &mut QueryBuilder<Postgres>, filter: &TokenFilter, today: NaiveDate) {
    if let Some(user) = filter.user {
        query.push(" and user_id = ").push_bind(user.0);
    }
    if let Some(impersonation) = filter.impersonation {
        query.push(" and impersonation = ").push_bind(impersonation);
    }
    if let Some(active) = filter.active {
        query.push(" and (not coalesce(revoked, false) and (expires_at is null or expires_at > ");
        query.push_bind(today).push(")) = ").push_bind(active);
    }
    if let Some(revoked) = filter.revoked {
        query.push(" and coalesce(revoked, false) = ").push_bind(revoked);
    }
    if let Some(search) = &filter.search {
        query.push(" and name ilike ").push_bind(containing(search));
    }
    for (column, (after, before)) in [("created_at", filter.created), ("last_used_at", filter.last_used)] {
        // Of the two, one is without a zone and holds UTC.
        let column = if column == "created_at" { "created_at at time zone 'utc'" } else { column };
        if let Some(after) = after {
            query.push(" and ").push(column).push(" > ").push_bind(after);
        }
        if let Some(before) = before {
            query.push(" and ").push(column).push(" < ").push_bind(before);
        }
    }
    if let Some(after) = filter.expires.0 {
        query.push(" and expires_at > ").push_bind(after);
    }
    if let Some(before) = filter.expires.1 {
        query.push(" and expires_at < ").push_bind(before);
    }
}

/// A token that is to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The digest of its text.
    pub digest: String,
    /// What it may do, as a YAML list.
    pub scopes: String,
    /// From this day on it is dead.
    pub expires_at: Option<NaiveDate>,
    /// Made for an administrator to act as its owner.
    pub impersonation: bool,
    /// The token whose place it takes.
    pub previous: Option<i64>,
}

/// Makes a token.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one has this digest.
pub async fn insert(db: impl PgExecutor<'_>, token: &NewToken, now: DateTime<Utc>) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into personal_access_tokens (
          user_id, name, description, token_digest, scopes, expires_at, impersonation, revoked,
          previous_personal_access_token_id, created_at
        )
        values ($1, $2, $3, $4, $5, $6, $7, false, $8, $9)
        returning id
        ",
        token.user.0,
        token.name,
        token.description,
        token.digest,
        token.scopes,
        token.expires_at,
        token.impersonation,
        token.previous,
        now.naive_utc()
    );
    Ok(id.fetch_one(db).await?)
}
