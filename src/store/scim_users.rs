//! SCIM: what is read and written of the accounts of users that an identity provider provisions and deprovisions.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::scim::ScimScope;
use crate::domain::scim::email_owner::{AccountKnownTo, EmailOwner};
use crate::domain::scim::new_user::FullName;

/// Who has this address, be it the first or a further one, and first of all who has it confirmed. A further one must
/// be: anybody can add an address. Where an installation asks nobody to confirm, what a group's SCIM makes is confirmed
/// as all else is, but not to other groups: it is the word of one of them.
pub async fn find_email_owner(db: impl PgExecutor<'_>, scope: ScimScope, email: &str) -> Result<Option<EmailOwner>> {
    let group = match scope {
        ScimScope::Group(group) => Some(group.0),
        ScimScope::Instance => None,
    };
    let row = sqlx::query!(
        r#"
        with
        found as (
          select
            users.id,
            users.confirmed_at is not null
              -- Equal times mean that nothing but a group's provider has confirmed the address.
              and ($1::bigint is null or users.confirmed_at is distinct from user_details.confirmed_by_group_scim_at)
              as is_confirmed,
            1 as place
          from users
          -- Outer, for most users have no row of details.
          left join user_details on user_details.user_id = users.id
          where lower(users.email) = lower($2)
          union all
          select user_id, true, 2
          from emails
          where lower(email) = lower($2)
            and confirmed_at is not null
          -- Of both halves: an address may be the first of one user and a confirmed further one of another.
          order by is_confirmed desc, place, id
          limit 1
        ),
        -- Whose each identity is; null stands for the installation.
        tenants as (
          select identity.group_id
          from found
          join group_scim_identities as identity on identity.user_id = found.id
          union all
          select identity.group_id
          from found
          join scim_identities as identity on identity.user_id = found.id
          union all
          select saml_providers.group_id
          from found
          join identities as identity on identity.user_id = found.id
          -- Outer, for an identity at a provider of the installation belongs to no group.
          left join saml_providers on saml_providers.id = identity.saml_provider_id
          union all
          select user_details.provisioned_by_group_id
          from found
          join user_details on user_details.user_id = found.id
          where user_details.provisioned_by_group_id is not null
        )
        select
          users.id,
          coalesce(users.username, '') as "username!",
          found.is_confirmed as "is_confirmed!",
          -- Not with = and <>: null is a tenant as well.
          exists (select from tenants where group_id is not distinct from $1::bigint) as "is_known_here!",
          exists (select from tenants where group_id is distinct from $1::bigint) as "is_known_elsewhere!"
        from found
        join users on users.id = found.id
        "#,
        group,
        email
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| EmailOwner {
        id: UserId(row.id),
        username: row.username,
        is_confirmed: row.is_confirmed,
        known: match (row.is_known_here, row.is_known_elsewhere) {
            (_, true) => AccountKnownTo::Others,
            (true, false) => AccountKnownTo::RequesterAlone,
            (false, false) => AccountKnownTo::Nobody,
        },
    }))
}

/// Whether no user, group or project has the name.
pub async fn is_username_free(db: impl PgExecutor<'_>, username: &str) -> Result<bool> {
    let free = sqlx::query_scalar!(
        r#"
        select not (
          exists (select from users where lower(username) = lower($1))
          or exists (select from namespaces where lower(path) = lower($1))
          or exists (select from namespaces where lower(name) = lower($1))
        ) as "free!"
        "#,
        username
    );
    Ok(free.fetch_one(db).await?)
}

/// Whether new users must show that an address is theirs.
pub async fn confirms_addresses(db: impl PgExecutor<'_>) -> Result<bool> {
    let setting = sqlx::query_scalar!(
        r#"
        select coalesce(email_confirmation_setting, 0) <> 0 as "confirms!"
        from application_settings
        order by id desc
        limit 1
        "#
    );
    Ok(setting.fetch_optional(db).await?.unwrap_or(false))
}

/// Whether somebody signs in with this id at the provider, in any letter case. An id that moved by `PATCH` stays
/// theirs: to give it to another user would let either sign in as the other.
pub async fn has_saml_account(db: impl PgExecutor<'_>, provider: i64, extern_uid: &str) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from identities
          where lower(extern_uid) = lower($2)
            and provider = 'group_saml'
            and saml_provider_id = $1
        ) as "has!"
        "#,
        provider,
        extern_uid
    );
    Ok(has.fetch_one(db).await?)
}

/// Writes the parts of a name, and that the user never chose the password.
pub async fn update_names(db: impl PgExecutor<'_>, user: UserId, name: &FullName<'_>) -> Result<()> {
    sqlx::query!(
        "
        update users
        set password_automatically_set = true,
            first_name = $2,
            last_name = $3
        where id = $1
        ",
        user.0,
        name.first,
        name.last
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes that a group made the account, and manages it: the group may vouch for it by SSH certificates.
pub async fn upsert_provisioning_group(
    db: impl PgExecutor<'_>,
    user: UserId,
    group: NamespaceId,
    confirmed_at: Option<NaiveDateTime>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into user_details (
          user_id, confirmed_by_group_scim_at, provisioned_by_group_id, enterprise_group_id, enterprise_group_associated_at
        )
        values ($1, $2, $3, $3, $4)
        on conflict (user_id) do update
        set confirmed_by_group_scim_at = excluded.confirmed_by_group_scim_at,
            provisioned_by_group_id = excluded.provisioned_by_group_id,
            enterprise_group_id = excluded.enterprise_group_id,
            enterprise_group_associated_at = excluded.enterprise_group_associated_at
        ",
        user.0,
        confirmed_at,
        group.0,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A new account of the user at a group's SAML provider.
pub async fn insert_saml_account(db: impl PgExecutor<'_>, user: UserId, provider: i64, extern_uid: &str) -> Result<()> {
    sqlx::query!(
        "
        insert into identities (user_id, provider, extern_uid, saml_provider_id)
        values ($1, 'group_saml', $2, $3)
        ",
        user.0,
        extern_uid,
        provider
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Shuts a user out, as a directory does. Who is shut out otherwise stays so.
pub async fn block(db: impl PgExecutor<'_>, user: UserId) -> Result<u64> {
    let blocked = sqlx::query!(
        "
        update users
        set state = 'ldap_blocked',
            updated_at = clock_timestamp() at time zone 'utc'
        where id = $1
          and state in ('active', 'deactivated')
        ",
        user.0
    );
    Ok(blocked.execute(db).await?.rows_affected())
}

/// Lets in a user that a directory shut out. What an administrator decided stands.
pub async fn unblock(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!(
        "
        update users
        set state = 'active',
            updated_at = clock_timestamp() at time zone 'utc'
        where id = $1
          and state in ('ldap_blocked', 'deactivated')
        ",
        user.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the sessions that one-time passwords opened for the user's keys.
pub async fn delete_otp_sessions(db: impl PgExecutor<'_>, user: UserId) -> Result<()> {
    sqlx::query!("delete from otp_sessions where key_id in (select id from keys where user_id = $1)", user.0)
        .execute(db)
        .await?;
    Ok(())
}
