//! What is looked at and written where an account is made or changed over the REST API.

use serde_json::{Map, Value};
use sqlx::PgExecutor;
use sqlx::types::Json;

use crate::domain::ids::UserId;
use crate::store::Result;
use crate::store::locks::{WantedName, take_names};

/// Who else has a name or an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountConflicts {
    /// Another user has the address, as their first or a further one.
    pub address: bool,
    /// Another user has the name.
    pub username: bool,
    /// A group has the name as its path.
    pub path: bool,
}

/// Who else than this user has the address or the name.
pub async fn find_conflicts(
    db: impl PgExecutor<'_>,
    own: Option<UserId>,
    address: Option<&str>,
    username: Option<&str>,
) -> Result<AccountConflicts> {
    let row = sqlx::query!(
        r#"
        select
          exists (
            select
            from users
            where lower(email) = lower($2)
              and id is distinct from $1
          ) or exists (
            select
            from emails
            where lower(email) = lower($2)
              and user_id is distinct from $1
          ) as "address!",
          exists (
            select
            from users
            where lower(username) = lower($3)
              and id is distinct from $1
          ) as "username!",
          exists (
            select
            from routes
            join namespaces on namespaces.id = routes.source_id
            where lower(routes.path) = lower($3)
              and routes.source_type = 'Namespace'
              and (namespaces.type <> 'User' or namespaces.owner_id is distinct from $1)
          ) as "path!"
        "#,
        own.map(|user| user.0),
        address,
        username
    );
    let row = row.fetch_one(db).await?;
    Ok(AccountConflicts { address: row.address, username: row.username, path: row.path })
}

/// Whether there is such a user, whose row nobody else changes until the transaction ends.
pub async fn lock(db: impl PgExecutor<'_>, id: UserId) -> Result<bool> {
    let row = sqlx::query_scalar!("select id from users where id = $1 for update", id.0);
    Ok(row.fetch_optional(db).await?.is_some())
}

/// Writes these columns of `users`, and of `user_details`.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a username or an address is another user's.
pub async fn write_columns(
    conn: &mut sqlx::PgConnection,
    id: UserId,
    columns: Map<String, Value>,
    details: Map<String, Value>,
) -> Result<()> {
    if !columns.is_empty() {
        sqlx::query!(
            "
            update users
            set (note, public_email, commit_email, unconfirmed_email, created_by_id, password_automatically_set) = (
                  select
                    merged.note, merged.public_email, merged.commit_email, merged.unconfirmed_email,
                    merged.created_by_id, merged.password_automatically_set
                  from jsonb_populate_record(users, $2) as merged
                ),
                updated_at = clock_timestamp() at time zone 'utc'
            where id = $1
            ",
            id.0,
            Json(columns) as _
        )
        .execute(&mut *conn)
        .await?;
    }
    if !details.is_empty() {
        sqlx::query!("insert into user_details (user_id) values ($1) on conflict (user_id) do nothing", id.0)
            .execute(&mut *conn)
            .await?;
        sqlx::query!(
            "
            update user_details
            set (
                  bio, location, linkedin, twitter, discord, github, website_url, organization, job_title, pronouns
                ) = (
                  select
                    merged.bio, merged.location, merged.linkedin, merged.twitter, merged.discord, merged.github,
                    merged.website_url, merged.organization, merged.job_title, merged.pronouns
                  from jsonb_populate_record(user_details, $2) as merged
                )
            where user_id = $1
            ",
            id.0,
            Json(details) as _
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Whether the address is one of the user's, and confirmed.
pub async fn has_confirmed_address(db: impl PgExecutor<'_>, id: UserId, address: &str) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from users
          where id = $1
            and lower(email) = lower($2)
            and confirmed_at is not null
          union all
          select
          from emails
          where user_id = $1
            and lower(email) = lower($2)
            and confirmed_at is not null
        ) as "has!"
        "#,
        id.0,
        address
    );
    Ok(has.fetch_one(db).await?)
}

/// Gives the user this identity at a provider of the instance, in place of the one that they may have there; false where
/// it is somebody else's.
pub async fn upsert_identity(
    conn: &mut sqlx::PgConnection,
    id: UserId,
    provider: &str,
    extern_uid: &str,
) -> Result<bool> {
    // Nothing unique stands behind an identity, so whoever writes one waits for the others.
    take_names(&mut *conn, &[WantedName::Identity(provider, extern_uid)]).await?;
    let taken = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from identities
          where lower(extern_uid) = lower($3)
            and provider = $2
            and saml_provider_id is null
            and user_id is distinct from $1
        ) as "taken!"
        "#,
        id.0,
        provider,
        extern_uid
    );
    if taken.fetch_one(&mut *conn).await? {
        return Ok(false);
    }
    let changed = sqlx::query!(
        "
        update identities
        set extern_uid = $3,
            updated_at = now() at time zone 'utc'
        where user_id = $1
          and provider = $2
          and saml_provider_id is null
        ",
        id.0,
        provider,
        extern_uid
    );
    if changed.execute(&mut *conn).await?.rows_affected() == 0 {
        sqlx::query!(
            "insert into identities (user_id, provider, extern_uid) values ($1, $2, $3)",
            id.0,
            provider,
            extern_uid
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// Takes away what the user is at a provider of the instance; false where that is nobody.
pub async fn delete_identity(db: impl PgExecutor<'_>, id: UserId, provider: &str) -> Result<bool> {
    let deleted = sqlx::query!(
        "
        delete from identities
        where user_id = $1
          and provider = $2
          and saml_provider_id is null
        ",
        id.0,
        provider
    );
    Ok(deleted.execute(db).await?.rows_affected() > 0)
}

/// Forgets that a user shows an address, or writes commits under it, that is no longer theirs.
pub async fn forget_address(db: impl PgExecutor<'_>, id: UserId, address: &str) -> Result<()> {
    sqlx::query!(
        "
        update users
        set public_email = case when lower(public_email) = lower($2) then '' else public_email end,
            commit_email = case when lower(commit_email) = lower($2) then null else commit_email end
        where id = $1
        ",
        id.0,
        address
    )
    .execute(db)
    .await?;
    Ok(())
}
