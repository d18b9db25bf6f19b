//! Users, their further e-mail addresses and their identities at other providers.

use chrono::NaiveDateTime;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};

/// What an operator states about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// The id of the user with that name, whatever its case.
pub async fn find_id_by_username(db: impl PgExecutor<'_>, username: &str) -> Result<Option<UserId>> {
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

/// Writes the user's row.
///
/// # Errors
/// [`super::Error::Duplicate`] where the username or the address is another user's.
pub async fn update(db: impl PgExecutor<'_>, id: UserId, row: &UserRow) -> Result<()> {
    sqlx::query!(
        "
        update users
        set username = $2,
            name = $3,
            email = $4,
            state = $5,
            user_type = $6,
            admin = $7,
            auditor = $8,
            external = $9,
            can_create_group = $10,
            projects_limit = $11,
            private_profile = $12,
            confirmed_at = $13,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id.0,
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
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a user and all that is theirs alone. Deploy keys that they made stay, without an owner.
pub async fn delete(conn: &mut sqlx::PgConnection, id: UserId) -> Result<()> {
    sqlx::query!("delete from keys where user_id = $1 and type is distinct from 'DeployKey'", id.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("update keys set user_id = null where user_id = $1", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from identities where user_id = $1", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from members where user_id = $1", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from project_authorizations where user_id = $1", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from namespaces where owner_id = $1 and type = 'User'", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from users where id = $1", id.0).execute(&mut *conn).await?;
    Ok(())
}

/// The ghost user, who owns what has no owner any more.
pub async fn find_ghost(db: impl PgExecutor<'_>) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!("select id from users where user_type = 5 order by id limit 1");
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// Whose address this is, be it the first or a further one.
pub async fn find_id_by_email(db: impl PgExecutor<'_>, email: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        r#"
        select id as "id!" from users where lower(email) = lower($1)
        union all
        select user_id from emails where lower(email) = lower($1)
        limit 1
        "#,
        email
    );
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

/// The group that manages the user's account.
pub async fn find_enterprise_group(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<NamespaceId>> {
    let group = sqlx::query_scalar!("select enterprise_group_id from user_details where user_id = $1", id.0);
    Ok(group.fetch_optional(db).await?.flatten().map(NamespaceId))
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

/// The user's further address, whatever its case.
pub async fn find_email(db: impl PgExecutor<'_>, user: UserId, email: &str) -> Result<Option<EmailRow>> {
    let row = sqlx::query_as!(
        EmailRow,
        "select id, confirmed_at from emails where user_id = $1 and lower(email) = lower($2)",
        user.0,
        email
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new further address.
///
/// # Errors
/// [`super::Error::Duplicate`] where it is another user's.
pub async fn insert_email(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    user: UserId,
    email: &str,
    confirmed_at: Option<NaiveDateTime>,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into emails (id, user_id, email, confirmed_at)
        values (coalesce($1, nextval('emails_id_seq')), $2, $3, $4)
        returning id
        ",
        id,
        user.0,
        email,
        confirmed_at
    );
    Ok(id.fetch_one(db).await?)
}

/// Confirms a further address, or takes that back.
pub async fn update_email(db: impl PgExecutor<'_>, id: i64, confirmed_at: Option<NaiveDateTime>) -> Result<()> {
    sqlx::query!(
        "update emails set confirmed_at = $2, updated_at = now() at time zone 'utc' where id = $1",
        id,
        confirmed_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a further address.
pub async fn delete_email(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from emails where id = $1", id).execute(db).await?;
    Ok(())
}

/// Who a user is at another provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRow {
    /// `identities.id`
    pub id: i64,
    /// `identities.extern_uid`
    pub extern_uid: String,
}

/// The user's identity at a provider of the instance. Those of a group's SAML provider are not looked at.
pub async fn find_identity(db: impl PgExecutor<'_>, user: UserId, provider: &str) -> Result<Option<IdentityRow>> {
    let row = sqlx::query_as!(
        IdentityRow,
        r#"
        select id, coalesce(extern_uid, '') as "extern_uid!"
        from identities
        where user_id = $1
          and provider = $2
          and saml_provider_id is null
        order by id
        limit 1
        "#,
        user.0,
        provider
    );
    Ok(row.fetch_optional(db).await?)
}

/// Who has that identity, whatever its case.
pub async fn find_id_by_identity(db: impl PgExecutor<'_>, provider: &str, extern_uid: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        r#"
        select user_id as "id!"
        from identities
        where lower(extern_uid) = lower($2)
          and provider = $1
          and saml_provider_id is null
          and user_id is not null
        limit 1
        "#,
        provider,
        extern_uid
    );
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// A new identity.
pub async fn insert_identity(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    user: UserId,
    provider: &str,
    extern_uid: &str,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into identities (id, user_id, provider, extern_uid)
        values (coalesce($1, nextval('identities_id_seq')), $2, $3, $4)
        returning id
        ",
        id,
        user.0,
        provider,
        extern_uid
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes what the provider calls the user.
pub async fn update_identity(db: impl PgExecutor<'_>, id: i64, extern_uid: &str) -> Result<()> {
    sqlx::query!(
        "update identities set extern_uid = $2, updated_at = now() at time zone 'utc' where id = $1",
        id,
        extern_uid
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes an identity.
pub async fn delete_identity(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from identities where id = $1", id).execute(db).await?;
    Ok(())
}

/// Whether the user has accepted the terms of service.
pub async fn has_accepted_terms(db: impl PgExecutor<'_>, id: UserId) -> Result<bool> {
    let accepted =
        sqlx::query_scalar!(r#"select accepted_term_id is not null as "accepted!" from users where id = $1"#, id.0);
    Ok(accepted.fetch_optional(db).await?.unwrap_or_default())
}

/// Writes whether the user has accepted the terms of service. There is one edition of them, the first.
pub async fn set_accepted_terms(db: impl PgExecutor<'_>, id: UserId, accepted: bool) -> Result<()> {
    sqlx::query!(
        "
        update users
        set accepted_term_id = case when $2 then coalesce(accepted_term_id, 1) end,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id.0,
        accepted
    )
    .execute(db)
    .await?;
    Ok(())
}
