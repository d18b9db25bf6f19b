//! Personal access tokens. Only a digest of the token's text is stored.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::UserId;

/// What a token may do and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// `personal_access_tokens.id`
    pub id: i64,
    /// `personal_access_tokens.name`
    pub name: String,
    /// `personal_access_tokens.token_digest`
    pub token_digest: String,
    /// `personal_access_tokens.scopes`, a YAML list
    pub scopes: String,
    /// `personal_access_tokens.expires_at`
    pub expires_at: Option<NaiveDate>,
    /// `personal_access_tokens.revoked`
    pub revoked: bool,
}

/// The user's token of that name. Of several, one that is not revoked goes first, then the newest.
///
/// # Errors
/// Where the database gives no answer.
pub async fn find(db: impl PgExecutor<'_>, user: UserId, name: &str) -> Result<Option<TokenRow>> {
    let row = sqlx::query_as!(
        TokenRow,
        r#"
        select
          id, name, coalesce(token_digest, '') as "token_digest!", scopes, expires_at,
          coalesce(revoked, false) as "revoked!"
        from personal_access_tokens
        where user_id = $1
          and name = $2
          and not impersonation
        order by coalesce(revoked, false), id desc
        limit 1
        "#,
        user.0,
        name
    );
    Ok(row.fetch_optional(db).await?)
}

/// The id of the token with that digest, whoever owns it.
///
/// # Errors
/// Where the database gives no answer.
pub async fn find_id_by_digest(db: impl PgExecutor<'_>, digest: &str) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!("select id from personal_access_tokens where token_digest = $1", digest);
    Ok(id.fetch_optional(db).await?)
}

/// A new token; `row.id` is looked at where it is not 0.
///
/// # Errors
/// [`super::Error::Duplicate`] where the token exists.
pub async fn insert(db: impl PgExecutor<'_>, user: UserId, row: &TokenRow) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into personal_access_tokens (id, user_id, name, token_digest, scopes, expires_at, revoked)
        values (coalesce(nullif($1::bigint, 0), nextval('personal_access_tokens_id_seq')), $2, $3, $4, $5, $6, $7)
        returning id
        ",
        row.id,
        user.0,
        row.name,
        row.token_digest,
        row.scopes,
        row.expires_at,
        row.revoked
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes what may change about a token.
///
/// # Errors
/// [`super::Error::Duplicate`] where another token has the digest.
pub async fn update(db: impl PgExecutor<'_>, row: &TokenRow) -> Result<()> {
    sqlx::query!(
        "
        update personal_access_tokens
        set token_digest = $2,
            scopes = $3,
            expires_at = $4,
            revoked = $5,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        row.id,
        row.token_digest,
        row.scopes,
        row.expires_at,
        row.revoked
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a token.
///
/// # Errors
/// Where the database gives no answer.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from personal_access_tokens where id = $1", id).execute(db).await?;
    Ok(())
}
