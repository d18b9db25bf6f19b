//! Access tokens of projects and groups: each has a user of its own, a bot, who is a member of the project or group.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use super::members::MemberGrant;
use super::protections::RowRange;
use super::tokens::TokenRow;
use super::users::UserRow;
use crate::domain::ids::{NamespaceId, UserId};

/// A bot that is to be made. Its id is one that [`super::ids::take`] gave for `users`.
#[derive(Debug, Clone)]
pub struct NewBot {
    /// `users.id`
    pub id: UserId,
    /// `user_details.bot_namespace_id`: the group, or the namespace of the project
    pub namespace: NamespaceId,
    /// `users.created_by_id`
    pub creator: Option<UserId>,
    /// Everything else.
    pub row: UserRow,
}

#[derive(Serialize)]
struct BotColumns<'a> {
    id: i64,
    bot_namespace_id: i64,
    created_by_id: Option<i64>,
    #[serde(flatten)]
    row: &'a UserRow,
}

/// New bots, who are members of nothing yet and have no token.
///
/// # Errors
/// [`super::Error::Duplicate`] where a username or an address is another user's.
pub async fn insert_bots(db: impl PgExecutor<'_>, bots: &[NewBot]) -> Result<()> {
    let columns: Vec<BotColumns<'_>> = bots
        .iter()
        .map(|bot| BotColumns {
            id: bot.id.0,
            bot_namespace_id: bot.namespace.0,
            created_by_id: bot.creator.map(|user| user.0),
            row: &bot.row,
        })
        .collect();
    sqlx::query!(
        "
        with made as (
          insert into users (
            id, username, name, email, state, user_type, admin, auditor, external, can_create_group, projects_limit,
            private_profile, confirmed_at, created_by_id
          )
          select
            id, username, name, email, state, user_type, admin, auditor, external, can_create_group, projects_limit,
            private_profile, confirmed_at, created_by_id
          from jsonb_populate_recordset(null::users, $1)
          returning id
        )
        insert into user_details (user_id, bot_namespace_id)
        select made.id, stated.bot_namespace_id
        from made
        join jsonb_to_recordset($1) as stated (id bigint, bot_namespace_id bigint) on stated.id = made.id
        ",
        Json(columns) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A new token with what is said of it, and the one that it takes the place of.
///
/// # Errors
/// [`super::Error::Duplicate`] where the token exists.
pub async fn insert(
    db: impl PgExecutor<'_>,
    user: UserId,
    row: &TokenRow,
    description: Option<&str>,
    previous: Option<i64>,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into personal_access_tokens (
          user_id, name, token_digest, scopes, expires_at, revoked, description, previous_personal_access_token_id
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        returning id
        ",
        user.0,
        row.name,
        row.token_digest,
        row.scopes,
        row.expires_at,
        row.revoked,
        description,
        previous
    );
    Ok(id.fetch_one(db).await?)
}

/// A token of a bot, with the bot's level in the project or group.
#[derive(Debug, Clone)]
pub struct BotTokenRow {
    /// `personal_access_tokens.id`
    pub id: i64,
    /// The bot.
    pub user: UserId,
    /// `personal_access_tokens.name`
    pub name: String,
    /// `personal_access_tokens.description`
    pub description: Option<String>,
    /// `personal_access_tokens.scopes`, a YAML list
    pub scopes: String,
    /// `personal_access_tokens.expires_at`
    pub expires_at: Option<NaiveDate>,
    /// `personal_access_tokens.revoked`
    pub revoked: bool,
    /// `personal_access_tokens.created_at`
    pub created_at: NaiveDateTime,
    /// `personal_access_tokens.updated_at`
    pub updated_at: NaiveDateTime,
    /// `personal_access_tokens.last_used_at`
    pub last_used_at: Option<DateTime<Utc>>,
    /// What the bot's own membership gives it; nothing where somebody took that away.
    pub access_level: i32,
}

impl BotTokenRow {
    /// Whether the token lets in on that day.
    #[must_use]
    pub fn is_active(&self, today: NaiveDate) -> bool {
        !self.revoked && self.expires_at.is_none_or(|end| today < end)
    }
}

/// Which tokens are looked for.
#[derive(Debug, Clone, Copy)]
pub struct WhichBotTokens {
    /// That one alone.
    pub id: Option<i64>,
    /// The good ones, or those that are not.
    pub active: Option<bool>,
    /// Those of the page.
    pub range: RowRange,
}

impl WhichBotTokens {
    /// One token.
    #[must_use]
    pub fn one(id: i64) -> Self {
        Self { id: Some(id), active: None, range: RowRange { limit: 1, offset: 0 } }
    }
}

/// The tokens of the bots that were made for a project (by its project namespace) or group, newest first. A bot of
/// another place that is a member here is not one of these.
pub async fn list(
    db: impl PgExecutor<'_>,
    namespace: NamespaceId,
    which: WhichBotTokens,
    today: NaiveDate,
) -> Result<Vec<BotTokenRow>> {
    let rows = sqlx::query!(
        r#"
        select
          token.id,
          token.user_id,
          token.name,
          token.description,
          token.scopes,
          token.expires_at,
          coalesce(token.revoked, false) as "revoked!",
          token.created_at,
          token.updated_at,
          token.last_used_at,
          coalesce(members.access_level, 0) as "access_level!"
        from user_details
        join users on users.id = user_details.user_id
        join personal_access_tokens as token on token.user_id = users.id
        left join members
          on members.user_id = users.id
          and members.member_namespace_id = user_details.bot_namespace_id
        where user_details.bot_namespace_id = $1
          -- 6 is the account behind the token of a project or group.
          and users.user_type = 6
          and not token.impersonation
          and ($2::bigint is null or token.id = $2)
          and (
            $3::boolean is null
            or $3 = (not coalesce(token.revoked, false) and coalesce(token.expires_at > $4, true))
          )
        order by token.id desc
        limit $5
        offset $6
        "#,
        namespace.0,
        which.id,
        which.active,
        today,
        which.range.limit,
        which.range.offset
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| BotTokenRow {
        id: row.id,
        user: UserId(row.user_id),
        name: row.name,
        description: row.description,
        scopes: row.scopes,
        expires_at: row.expires_at,
        revoked: row.revoked,
        created_at: row.created_at,
        updated_at: row.updated_at,
        last_used_at: row.last_used_at,
        access_level: row.access_level,
    });
    Ok(rows.collect())
}

/// How many tokens there are: all, the good ones, or those that are not.
pub async fn count(
    db: impl PgExecutor<'_>,
    namespace: NamespaceId,
    active: Option<bool>,
    today: NaiveDate,
) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from user_details
        join users on users.id = user_details.user_id
        join personal_access_tokens as token on token.user_id = users.id
        where user_details.bot_namespace_id = $1
          and users.user_type = 6
          and not token.impersonation
          and (
            $2::boolean is null
            or $2 = (not coalesce(token.revoked, false) and coalesce(token.expires_at > $3, true))
          )
        "#,
        namespace.0,
        active,
        today
    );
    Ok(count.fetch_one(db).await?)
}

/// Keeps everybody else from writing the token until the transaction ends: of two rotations, one finds it revoked.
pub async fn lock(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("select id from personal_access_tokens where id = $1 for no key update", id)
        .fetch_optional(db)
        .await?;
    Ok(())
}

/// Bots whose every token ended before `then`, at most `limit` of them.
pub async fn list_ended_bots(db: impl PgExecutor<'_>, then: DateTime<Utc>, limit: i64) -> Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "
        select users.id
        from users
        join user_details on user_details.user_id = users.id
        where users.user_type = 6
          and user_details.bot_namespace_id is not null
          and exists (select from personal_access_tokens where user_id = users.id)
          and not exists (
            select
            from personal_access_tokens as token
            where token.user_id = users.id
              and case
                -- A token that is taken back is written then, and never afterwards.
                when coalesce(token.revoked, false) then token.updated_at >= $1::timestamptz at time zone 'utc'
                else coalesce(token.expires_at >= ($1::timestamptz at time zone 'utc')::date, true)
              end
          )
        order by users.id
        limit $2
        ",
        then,
        limit
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(UserId).collect())
}

/// The tokens of the bots of these groups, and of projects by their project namespaces: where each is valid, its bot, its
/// row, and what its bot is granted there. Of several of one name, one that is not revoked, then the newest, stands first.
pub async fn list_stated(
    db: impl PgExecutor<'_>,
    namespaces: &[i64],
) -> Result<Vec<(NamespaceId, UserId, TokenRow, MemberGrant)>> {
    let rows = sqlx::query!(
        r#"
        select
          members.member_namespace_id as "namespace!",
          users.id as user_id,
          token.id,
          token.name,
          coalesce(token.token_digest, '') as "token_digest!",
          token.scopes,
          token.expires_at,
          coalesce(token.revoked, false) as "revoked!",
          members.access_level,
          members.expires_at as member_until
        from members
        join users on users.id = members.user_id
        -- A bot of another place may be a member here, like anybody.
        join user_details
          on user_details.user_id = users.id
          and user_details.bot_namespace_id = members.member_namespace_id
        join personal_access_tokens as token on token.user_id = users.id
        where members.member_namespace_id = any ($1)
          -- 6 is the account behind the token of a project or group.
          and users.user_type = 6
          and not token.impersonation
        order by members.member_namespace_id, token.name, coalesce(token.revoked, false), token.id desc
        "#,
        namespaces
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let token = TokenRow {
            id: row.id,
            name: row.name,
            token_digest: row.token_digest,
            scopes: row.scopes,
            expires_at: row.expires_at,
            revoked: row.revoked,
        };
        let grant = MemberGrant { level: row.access_level, expires_at: row.member_until };
        (NamespaceId(row.namespace), UserId(row.user_id), token, grant)
    });
    Ok(rows.collect())
}
