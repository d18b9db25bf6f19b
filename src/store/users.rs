//! Users, their further e-mail addresses and their identities at other providers.

use chrono::NaiveDateTime;
use serde::Serialize;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};

/// What an operator states about a user. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct UserRow {
    /// `users.username`
    pub username: String,
    /// `users.name`
    pub name: String,
    /// `users.email`
    pub email: String,
    /// `users.state`
    pub state: String,
    /// `users.user_type`
    pub user_type: i16,
    /// `users.admin`
    pub admin: bool,
    /// `users.auditor`
    pub auditor: bool,
    /// `users.external`
    pub external: bool,
    /// `users.can_create_group`
    pub can_create_group: bool,
    /// `users.projects_limit`
    pub projects_limit: i32,
    /// `users.private_profile`
    pub private_profile: bool,
    /// `users.confirmed_at`
    pub confirmed_at: Option<NaiveDateTime>,
}

/// The user of that name, whatever its letter case.
pub async fn find_id(db: impl PgExecutor<'_>, username: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!("select id from users where lower(username) = lower($1)", username);
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// The user's row.
pub async fn find(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<UserRow>> {
    let row = sqlx::query_as!(
        UserRow,
        r#"
        select
          coalesce(username, '') as "username!",
          coalesce(name, '') as "name!",
          email,
          coalesce(state, '') as "state!",
          user_type,
          admin,
          auditor,
          coalesce(external, false) as "external!",
          can_create_group,
          projects_limit,
          private_profile,
          confirmed_at
        from users
        where id = $1
        "#,
        id.0
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new user, with the given id or the next one.
///
/// # Errors
/// [`super::Error::Duplicate`] where the username or the address is another user's.
pub async fn insert(db: impl PgExecutor<'_>, id: Option<UserId>, row: &UserRow) -> Result<UserId> {
    let id = sqlx::query_scalar!(
        "
        insert into users (
          id, username, name, email, state, user_type, admin, auditor, external, can_create_group, projects_limit,
          private_profile, confirmed_at
        )
        values (coalesce($1, nextval('users_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        returning id
        ",
        id.map(|id| id.0),
        row.username,
        row.name,
        row.email,
        row.state,
        row.user_type,
        row.admin,
        row.auditor,
        row.external,
        row.can_create_group,
        row.projects_limit,
        row.private_profile,
        row.confirmed_at
    );
    Ok(UserId(id.fetch_one(db).await?))
}

/// Removes a user and all that is theirs alone. Deploy keys that they made stay, without an owner.
pub async fn delete(conn: &mut sqlx::PgConnection, id: UserId) -> Result<()> {
    delete_all(conn, &[id.0]).await
}

/// Like [`delete`], for many at once.
pub async fn delete_all(conn: &mut sqlx::PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from keys where user_id = any($1) and type is distinct from 'DeployKey'", ids)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update keys set user_id = null where user_id = any($1)", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from identities where user_id = any($1)", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from members where user_id = any($1)", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from project_authorizations where user_id = any($1)", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from namespaces where owner_id = any($1) and type = 'User'", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from users where id = any($1)", ids).execute(&mut *conn).await?;
    Ok(())
}

/// Brings the user from one of these states into another one; false where they are in none of them.
pub async fn update_state(db: impl PgExecutor<'_>, id: UserId, from: &[String], to: &str) -> Result<bool> {
    let changed = sqlx::query!(
        "
        update users
        set state = $3,
            updated_at = clock_timestamp() at time zone 'utc'
        where id = $1
          and state = any ($2)
        ",
        id.0,
        from,
        to
    );
    Ok(changed.execute(db).await?.rows_affected() == 1)
}

/// The ghost user, who owns what has no owner any more.
pub async fn find_ghost(db: impl PgExecutor<'_>) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!("select id from users where user_type = 5 order by id limit 1");
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// Takes the user's confirmed address for theirs on the operator's word, where it rested on that of a group's identity
/// provider; whether it did.
pub async fn vouch_for_email(db: impl PgExecutor<'_>, id: UserId) -> Result<bool> {
    let vouched = sqlx::query!(
        "
        update user_details
        set confirmed_by_group_scim_at = null
        where user_id = $1
          and confirmed_by_group_scim_at is not null
        ",
        id.0
    );
    Ok(vouched.execute(db).await?.rows_affected() > 0)
}

/// Gives the user's account to a group to manage, or to none.
pub async fn update_enterprise_group(db: impl PgExecutor<'_>, id: UserId, group: Option<NamespaceId>) -> Result<()> {
    sqlx::query!(
        "
        insert into user_details (user_id, enterprise_group_id, enterprise_group_associated_at)
        values ($1, $2, case when $2::bigint is not null then now() end)
        on conflict (user_id) do update
        set enterprise_group_id = excluded.enterprise_group_id,
            enterprise_group_associated_at = excluded.enterprise_group_associated_at
        ",
        id.0,
        group.map(|group| group.0)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A further address of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailRow {
    /// `emails.id`
    pub id: i64,
    /// `emails.confirmed_at`
    pub confirmed_at: Option<NaiveDateTime>,
}

/// Who a user is at another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRow {
    /// `identities.id`
    pub id: i64,
    /// `identities.extern_uid`
    pub extern_uid: String,
}

/// Gives a user a password, by its hash. It does not expire: there is no page on which to renew it.
pub async fn update_password(db: impl PgExecutor<'_>, user: UserId, hash: &str) -> Result<()> {
    sqlx::query!(
        "update users
         set encrypted_password = $2,
             password_automatically_set = false,
             password_expires_at = null
         where id = $1",
        user.0,
        hash,
    )
    .execute(db)
    .await?;
    Ok(())
}
