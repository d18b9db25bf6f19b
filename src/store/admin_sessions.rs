//! Sessions of the Admin area. Only a digest of what the cookie holds is stored.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::access::UserState;
use crate::domain::admin_session::SessionFacts;
use crate::domain::ids::UserId;
use crate::domain::presented_token::{PresentedToken, TokenOwner};
use crate::domain::token::scopes_from_yaml;
use crate::domain::user_type::UserType;

/// A session that begins.
#[derive(Debug, Clone, Copy)]
pub struct NewSession<'a> {
    /// The SHA-256 of what the cookie holds.
    pub digest: &'a [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// The token that it was exchanged for.
    pub token: i64,
    /// Whether that token may change something.
    pub may_act: bool,
    /// Where the browser is.
    pub ip_address: Option<IpAddr>,
    /// What it calls itself.
    pub user_agent: &'a str,
    /// Its end, however it is used.
    pub expires_at: DateTime<Utc>,
}

/// Begins a session: its id.
pub async fn insert(db: impl PgExecutor<'_>, session: &NewSession<'_>, now: DateTime<Utc>) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into admin_sessions (
          token_digest, user_id, personal_access_token_id, may_act, ip_address, user_agent, created_at, last_used_at,
          expires_at
        )
        values ($1, $2, $3, $4, $5::text::inet, left($6, 255), $7, $7, $8)
        returning id
        ",
        session.digest.as_slice(),
        session.user.0,
        session.token,
        session.may_act,
        session.ip_address.as_ref().map(IpAddr::to_string),
        session.user_agent,
        now,
        session.expires_at,
    );
    Ok(id.fetch_one(db).await?)
}

/// A session, with what decides whether it is good.
#[derive(Debug, Clone)]
pub struct KnownSession {
    /// Its id.
    pub id: i64,
    /// What decides.
    pub facts: SessionFacts,
}

/// The session with that digest, its token and whose token it is: all of it as it is now. Where people may have no
/// tokens, theirs open nothing.
pub async fn find(db: impl PgExecutor<'_>, digest: &[u8; 32]) -> Result<Option<KnownSession>> {
    let row = sqlx::query!(
        r#"
        select
          session.id,
          session.may_act,
          session.last_used_at,
          session.expires_at as session_expires_at,
          token.scopes,
          token.expires_at,
          coalesce(token.revoked, false) or token.user_id <> session.user_id as "revoked!",
          owner.id as user_id,
          coalesce(owner.username, '') as "username!",
          owner.state,
          owner.user_type,
          owner.admin,
          coalesce(owner.external, false) as "external!",
          coalesce(settings.admin_mode, false) as "admin_mode!"
        from admin_sessions as session
        join personal_access_tokens as token on token.id = session.personal_access_token_id
        join users as owner on owner.id = session.user_id
        left join lateral (
          -- Of several rows of settings the newest counts (schema.md 11).
          select admin_mode, disable_personal_access_tokens
          from application_settings
          order by application_settings.id desc
          limit 1
        ) as settings on true
        where session.token_digest = $1
          and not (
            owner.user_type = 0
            and (
              coalesce(settings.disable_personal_access_tokens, false)
              or exists (
                select
                from user_details
                join namespace_settings on namespace_settings.namespace_id = user_details.enterprise_group_id
                where user_details.user_id = owner.id
                  and namespace_settings.disable_personal_access_tokens
              )
            )
          )
        "#,
        digest.as_slice(),
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| KnownSession {
        id: row.id,
        facts: SessionFacts {
            may_act: row.may_act,
            last_used_at: row.last_used_at,
            expires_at: row.session_expires_at,
            token: PresentedToken {
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
        },
    }))
}

/// Notes that the session was used.
pub async fn update_last_used(db: impl PgExecutor<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update admin_sessions set last_used_at = $2 where id = $1 and last_used_at < $2", id, now)
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a session: whose it was.
pub async fn delete(db: impl PgExecutor<'_>, id: i64) -> Result<Option<(UserId, String)>> {
    let row = sqlx::query!(
        r#"
        delete from admin_sessions
        using users
        where admin_sessions.id = $1
          and users.id = admin_sessions.user_id
        returning users.id, coalesce(users.username, '') as "username!"
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?.map(|row| (UserId(row.id), row.username)))
}

/// Forgets the sessions that are over: those of before `expired`, and those that were not used since `idle`.
pub async fn delete_ended(db: impl PgExecutor<'_>, expired: DateTime<Utc>, idle: DateTime<Utc>) -> Result<u64> {
    let gone = sqlx::query!("delete from admin_sessions where expires_at <= $1 or last_used_at <= $2", expired, idle);
    Ok(gone.execute(db).await?.rows_affected())
}

/// A session, for people to read.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// Its id.
    pub id: i64,
    /// Whose it is.
    pub user: i64,
    /// Their username.
    pub username: String,
    /// The name of its token.
    pub token: String,
    /// Whether it may change something.
    pub may_act: bool,
    /// Where it was opened from.
    pub ip_address: Option<String>,
    /// The browser that opened it.
    pub user_agent: String,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was last used.
    pub last_used_at: DateTime<Utc>,
    /// Its end, however it is used.
    pub expires_at: DateTime<Utc>,
}

/// The sessions that were used since `idle` and have not ended, the newest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    idle: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<SessionRow>> {
    let rows = sqlx::query_as!(
        SessionRow,
        r#"
        select
          session.id,
          session.user_id as "user",
          coalesce(users.username, '') as "username!",
          token.name as token,
          session.may_act,
          host(session.ip_address) as ip_address,
          coalesce(session.user_agent, '') as "user_agent!",
          session.created_at,
          session.last_used_at,
          session.expires_at
        from admin_sessions as session
        join users on users.id = session.user_id
        join personal_access_tokens as token on token.id = session.personal_access_token_id
        where session.expires_at > $1
          and session.last_used_at > $2
        order by session.id desc
        limit $3
        "#,
        now,
        idle,
        limit,
    );
    Ok(rows.fetch_all(db).await?)
}
