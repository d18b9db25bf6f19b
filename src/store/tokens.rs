//! Personal access tokens. Only a digest of the token's text is stored.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::access::UserState;
use crate::domain::ids::UserId;
use crate::domain::personal_access_token::TokenPolicy;
use crate::domain::presented_token::{PresentedToken, TokenOwner};
use crate::domain::token::scopes_from_yaml;
use crate::domain::user_type::UserType;

/// What a token may do and how long. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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

/// What the instance says about tokens, and the group whose enterprise user it is about.
pub async fn find_policy(db: impl PgExecutor<'_>, user: Option<UserId>) -> Result<TokenPolicy> {
    let row = sqlx::query!(
        r#"
        select
          coalesce(settings.personal_access_token_prefix, '') as "prefix!",
          settings.disable_personal_access_tokens or coalesce(enterprise.disabled, false) as "disabled!",
          settings.require_personal_access_token_expiry as expiry_required,
          coalesce(enterprise.longest, settings.max_personal_access_token_lifetime) as longest
        from application_settings as settings
        left join lateral (
          select
            namespace_settings.disable_personal_access_tokens as disabled,
            namespaces.max_personal_access_token_lifetime as longest
          from user_details
          join namespaces on namespaces.id = user_details.enterprise_group_id
          left join namespace_settings on namespace_settings.namespace_id = namespaces.id
          where user_details.user_id = $1
        ) as enterprise on true
        order by settings.id desc
        limit 1
        "#,
        user.map(|user| user.0)
    )
    .fetch_optional(db)
    .await?;
    let policy = row.map(|row| TokenPolicy {
        prefix: row.prefix,
        disabled: row.disabled,
        expiry_required: row.expiry_required,
        longest: row.longest.and_then(|days| u32::try_from(days).ok()),
    });
    Ok(policy.unwrap_or_default())
}

/// A token that somebody presents, with what it says of itself.
#[derive(Debug, Clone)]
pub struct KnownToken {
    /// `personal_access_tokens.id`
    pub id: i64,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: NaiveDateTime,
    /// When it was last used, as far as was noted.
    pub last_used_at: Option<DateTime<Utc>>,
    /// What decides whether it lets in.
    pub presented: PresentedToken,
}

/// The token with that digest, good or not. Where people may have none, theirs are not known.
pub async fn find_known(db: impl PgExecutor<'_>, digest: &str) -> Result<Option<KnownToken>> {
    let row = sqlx::query!(
        r#"
        select
          token.id,
          token.name,
          token.description,
          token.scopes,
          token.expires_at,
          coalesce(token.revoked, false) as "revoked!",
          token.created_at,
          token.last_used_at,
          owner.id as user_id,
          coalesce(owner.username, '') as "username!",
          owner.state,
          owner.user_type,
          owner.admin,
          coalesce(owner.external, false) as "external!",
          coalesce(
            -- Of several rows of settings the newest counts (schema.md 11).
            (select admin_mode from application_settings order by application_settings.id desc limit 1),
            false
          ) as "admin_mode!"
        from personal_access_tokens as token
        join users as owner on owner.id = token.user_id
        where token.token_digest = $1
          and not (
            -- 0 is a human: bots and service accounts keep their tokens, for these are all that they act with.
            owner.user_type = 0
            and (
              coalesce(
                (
                  select disable_personal_access_tokens
                  from application_settings
                  order by application_settings.id desc
                  limit 1
                ),
                false
              )
              or exists (
                -- A group says it of its enterprise users alone, wherever they use the token.
                select
                from user_details
                join namespace_settings on namespace_settings.namespace_id = user_details.enterprise_group_id
                where user_details.user_id = owner.id
                  and namespace_settings.disable_personal_access_tokens
              )
            )
          )
        "#,
        digest,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| KnownToken {
        id: row.id,
        name: row.name,
        description: row.description,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        presented: PresentedToken {
            scopes: scopes_from_yaml(&row.scopes),
            expires_at: row.expires_at,
            revoked: row.revoked,
            admin_mode_enforced: row.admin_mode,
            owner: TokenOwner {
                id: UserId(row.user_id),
                username: row.username,
                state: UserState::from(row.state.as_str()),
                kind: UserType::from_number(row.user_type),
                admin: row.admin,
                external: row.external,
            },
        },
    }))
}

/// A token, as a list shows it.
#[derive(Debug, Clone)]
pub struct TokenSummary {
    /// `personal_access_tokens.id`
    pub id: i64,
    /// `personal_access_tokens.name`
    pub name: String,
    /// `personal_access_tokens.scopes`, a YAML list
    pub scopes: String,
    /// `personal_access_tokens.expires_at`
    pub expires_at: Option<NaiveDate>,
    /// `personal_access_tokens.revoked`
    pub revoked: bool,
    /// `personal_access_tokens.created_at`
    pub created_at: NaiveDateTime,
    /// `personal_access_tokens.last_used_at`
    pub last_used_at: Option<DateTime<Utc>>,
}

impl TokenSummary {
    /// Whether the token lets in on that day.
    #[must_use]
    pub fn is_active(&self, today: NaiveDate) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| today < end)
    }
}

/// The tokens of a user, good or not, oldest first.
pub async fn list_of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<TokenSummary>> {
    let rows = sqlx::query_as!(
        TokenSummary,
        r#"
        select id, name, scopes, expires_at, coalesce(revoked, false) as "revoked!", created_at, last_used_at
        from personal_access_tokens
        where user_id = $1
        order by id
        "#,
        user.0
    );
    Ok(rows.fetch_all(db).await?)
}

/// The name of a token, and whose it is.
pub async fn find_owner(db: impl PgExecutor<'_>, id: i64) -> Result<Option<(String, UserId, String)>> {
    let row = sqlx::query!(
        r#"
        select token.name, users.id, coalesce(users.username, '') as "username!"
        from personal_access_tokens as token
        join users on users.id = token.user_id
        where token.id = $1
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?.map(|row| (row.name, UserId(row.id), row.username)))
}

/// Takes a token back; false where that was done before.
pub async fn revoke(db: impl PgExecutor<'_>, id: i64) -> Result<bool> {
    let done = sqlx::query!(
        "update personal_access_tokens
         set revoked = true, updated_at = now() at time zone 'utc'
         where id = $1
           and revoked is distinct from true",
        id
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}
