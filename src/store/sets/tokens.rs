//! Personal access tokens.

use std::collections::HashMap;

use sqlx::PgExecutor;
use sqlx::types::Json;

use super::changes;
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::TokenPolicy;
use crate::store::Result;
use crate::store::tokens::TokenRow;

/// The tokens of these users; of several that have one name, one that is not revoked goes first, then the newest.
pub async fn list(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<(UserId, TokenRow)>> {
    let rows = sqlx::query!(
        r#"
        select
          user_id as "user_id!", id, name, coalesce(token_digest, '') as "token_digest!", scopes, expires_at,
          coalesce(revoked, false) as "revoked!"
        from personal_access_tokens
        where user_id = any($1)
          and not impersonation
        order by user_id, name, coalesce(revoked, false), id desc
        "#,
        users
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let token = TokenRow {
                id: row.id,
                name: row.name,
                token_digest: row.token_digest,
                scopes: row.scopes,
                expires_at: row.expires_at,
                revoked: row.revoked,
            };
            (UserId(row.user_id), token)
        })
        .collect())
}

/// The ids of the tokens with these digests, whoever owns them.
pub async fn list_ids_by_digest(db: impl PgExecutor<'_>, digests: &[String]) -> Result<HashMap<String, i64>> {
    let rows = sqlx::query!(
        r#"select token_digest as "digest!", id from personal_access_tokens where token_digest = any($1)"#,
        digests
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.digest, row.id)).collect())
}

/// New tokens.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one exists.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[(UserId, TokenRow)]) -> Result<()> {
    sqlx::query!(
        "
        insert into personal_access_tokens (id, user_id, name, token_digest, scopes, expires_at, revoked)
        select *
        from unnest(
          $1::bigint[], $2::bigint[], $3::varchar[], $4::varchar[], $5::varchar[], $6::date[], $7::boolean[]
        )
        ",
        &rows.iter().map(|(_, row)| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|(user, _)| user.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.token_digest.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.scopes.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.expires_at).collect::<Vec<_>>() as _,
        &rows.iter().map(|(_, row)| row.revoked).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what has changed about tokens, whose names stay what they are.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where another token has a digest.
pub async fn update(db: impl PgExecutor<'_>, rows: &[(i64, TokenRow, TokenRow)]) -> Result<()> {
    sqlx::query!(
        "
        update personal_access_tokens
        set (token_digest, scopes, expires_at, revoked) = (
              select merged.token_digest, merged.scopes, merged.expires_at, merged.revoked
              from jsonb_populate_record(personal_access_tokens, stated.changes) as merged
            ),
            updated_at = now() at time zone 'utc'
        from jsonb_to_recordset($1) as stated (id bigint, changes jsonb)
        where personal_access_tokens.id = stated.id
        ",
        Json(changes(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes tokens.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from personal_access_tokens where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// What the instance says about tokens of these users, and the groups whose enterprise users some of them are.
pub async fn list_policies(db: impl PgExecutor<'_>, users: &[i64]) -> Result<HashMap<UserId, TokenPolicy>> {
    let rows = sqlx::query!(
        r#"
        select
          asked.id as "id!",
          coalesce(settings.personal_access_token_prefix, '') as "prefix!",
          settings.disable_personal_access_tokens
            or coalesce(namespace_settings.disable_personal_access_tokens, false) as "disabled!",
          settings.require_personal_access_token_expiry as expiry_required,
          coalesce(enterprise.max_personal_access_token_lifetime, settings.max_personal_access_token_lifetime) as longest
        from unnest($1::bigint[]) as asked (id)
        cross join (select * from application_settings order by id desc limit 1) as settings
        left join user_details on user_details.user_id = asked.id
        left join namespaces as enterprise on enterprise.id = user_details.enterprise_group_id
        left join namespace_settings on namespace_settings.namespace_id = enterprise.id
        "#,
        users
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let policy = TokenPolicy {
                prefix: row.prefix,
                disabled: row.disabled,
                expiry_required: row.expiry_required,
                longest: row.longest.and_then(|days| u32::try_from(days).ok()),
            };
            (UserId(row.id), policy)
        })
        .collect())
}
