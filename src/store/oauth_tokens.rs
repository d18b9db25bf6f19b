//! OAuth access tokens of users: a digest of each, and the application that it was made for.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::UserId;

/// An OAuth access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OauthTokenRow {
    /// `oauth_access_tokens.id`
    pub id: i64,
    /// Whose it is.
    pub user: UserId,
    /// `oauth_applications.name`
    pub application: String,
    /// `oauth_access_tokens.token`: SHA-512 in hex
    pub token: String,
    /// `oauth_access_tokens.scopes`, separated by spaces
    pub scopes: String,
    /// `oauth_access_tokens.expires_in`, seconds from when it was made
    pub expires_in: Option<i32>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// The tokens of these users that belong to an application; of several for one, one that is not revoked, then the newest,
/// stands first.
pub async fn list(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<OauthTokenRow>> {
    let rows = sqlx::query!(
        r#"
        select
          tokens.id, tokens.resource_owner_id as "user!", applications.name, tokens.token,
          coalesce(tokens.scopes, '') as "scopes!", tokens.expires_in, tokens.revoked_at is not null as "revoked!"
        from oauth_access_tokens as tokens
        join oauth_applications as applications on applications.id = tokens.application_id
        where tokens.resource_owner_id = any ($1)
        order by tokens.resource_owner_id, applications.name, tokens.revoked_at is not null, tokens.id desc
        "#,
        users
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| OauthTokenRow {
        id: row.id,
        user: UserId(row.user),
        application: row.name,
        token: row.token,
        scopes: row.scopes,
        expires_in: row.expires_in,
        revoked: row.revoked,
    });
    Ok(rows.collect())
}

/// The ids of the tokens with these digests, whoever owns them.
pub async fn list_ids_by_digest(db: impl PgExecutor<'_>, digests: &[String]) -> Result<HashMap<String, i64>> {
    let rows = sqlx::query!("select token, id from oauth_access_tokens where token = any ($1)", digests);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.token, row.id)).collect())
}

/// Makes applications of these names where there are none that belong to nobody.
pub async fn insert_applications(db: impl PgExecutor<'_>, names: &[String], uids: &[String]) -> Result<()> {
    sqlx::query!(
        "
        insert into oauth_applications (name, uid, secret, redirect_uri, created_at, updated_at)
        -- Nobody has a secret of which this would be the digest.
        select stated.name, stated.uid, '', '', now() at time zone 'utc', now() at time zone 'utc'
        from unnest($1::varchar[], $2::varchar[]) as stated (name, uid)
        where not exists (
          select
          from oauth_applications as known
          where known.name = stated.name
            and known.owner_id is null
        )
        ",
        names,
        uids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// New tokens of applications that are there.
///
/// # Errors
/// [`super::Error::Duplicate`] where one exists.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[OauthTokenRow], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "
        insert into oauth_access_tokens (
          id, resource_owner_id, application_id, token, scopes, expires_in, created_at, revoked_at
        )
        select
          stated.id, stated.user_id, application.id, stated.token, stated.scopes, stated.expires_in,
          $8::timestamptz at time zone 'utc', case when stated.revoked then $8::timestamptz at time zone 'utc' end
        from unnest(
          $1::bigint[], $2::bigint[], $3::varchar[], $4::varchar[], $5::varchar[], $6::int[], $7::boolean[]
        ) as stated (id, user_id, application, token, scopes, expires_in, revoked)
        cross join lateral (
          select id
          from oauth_applications
          where name = stated.application
          order by owner_id is not null, id
          limit 1
        ) as application
        ",
        &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.user.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.application.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.token.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.scopes.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.expires_in).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.revoked).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes tokens as they are to be. One that gets another text begins anew.
///
/// # Errors
/// [`super::Error::Duplicate`] where another token has a digest.
pub async fn update(db: impl PgExecutor<'_>, rows: &[OauthTokenRow], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "
        update oauth_access_tokens as known
        set token = stated.token,
          created_at = case
            when known.token = stated.token then known.created_at
            else $6::timestamptz at time zone 'utc'
          end,
          scopes = stated.scopes,
          expires_in = stated.expires_in,
          revoked_at = case
            when stated.revoked then coalesce(known.revoked_at, $6::timestamptz at time zone 'utc')
          end
        from unnest($1::bigint[], $2::varchar[], $3::varchar[], $4::int[], $5::boolean[])
          as stated (id, token, scopes, expires_in, revoked)
        where known.id = stated.id
        ",
        &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.token.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.scopes.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.expires_in).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.revoked).collect::<Vec<_>>(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes tokens.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from oauth_access_tokens where id = any ($1)", ids).execute(db).await?;
    Ok(())
}
