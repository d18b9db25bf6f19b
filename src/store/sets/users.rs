//! Users, their personal namespaces, further addresses and identities.

use std::collections::HashMap;

use chrono::NaiveDateTime;
use secrecy::SecretString;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{changes, with_ids};
use crate::crypto::seal::{Seal, SealedValue, UnsealError};
use crate::domain::ids::{NamespaceId, UserId};
use crate::store::Result;
use crate::store::namespaces::PersonalRow;
use crate::store::two_factor;
use crate::store::users::{EmailRow, IdentityRow, UserRow};

/// A user with what hangs on the row alone.
#[derive(Debug, Clone)]
pub struct UserRecord {
    /// The row.
    pub row: UserRow,
    /// Whether the user has accepted the terms of service.
    pub terms_accepted: bool,
    /// The personal namespace.
    pub personal: Option<PersonalRow>,
    /// Whether the first address counts as confirmed on the word of a group's identity provider.
    pub confirmed_by_group_scim: bool,
    /// The group that manages the account.
    pub enterprise_group: Option<NamespaceId>,
}

/// The users of these ids.
pub async fn list(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<UserId, UserRecord>> {
    let rows = sqlx::query!(
        r#"
        select
          users.id as "id!",
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          users.email as "email!",
          coalesce(users.state, '') as "state!",
          users.user_type as "user_type!",
          users.admin as "admin!",
          users.auditor as "auditor!",
          coalesce(users.external, false) as "external!",
          users.can_create_group as "can_create_group!",
          users.projects_limit as "projects_limit!",
          users.private_profile as "private_profile!",
          users.confirmed_at,
          users.accepted_term_id is not null as "terms_accepted!",
          personal.id as "personal_id?",
          personal.path as "personal_path?",
          personal.name as "personal_name?",
          user_details.confirmed_by_group_scim_at is not null as "confirmed_by_group_scim!",
          user_details.enterprise_group_id as "enterprise_group?"
        from users
        -- Outer joins both: a user need not have a row of details, nor a personal namespace.
        left join user_details on user_details.user_id = users.id
        -- Not a lateral look-up of the lowest id: without statistics, PostgreSQL walks the primary key for each user.
        left join (
          select distinct on (owner_id) owner_id, id, path, name
          from namespaces
          where owner_id = any($1)
            and type = 'User'
          order by owner_id, id
        ) as personal on personal.owner_id = users.id
        where users.id = any($1)
        "#,
        ids
    )
    .fetch_all(db)
    .await?;
    let personal = |id: Option<i64>, path: Option<String>, name: Option<String>| {
        Some(PersonalRow { id: NamespaceId(id?), path: path?, name: name? })
    };
    Ok(rows
        .into_iter()
        .map(|row| {
            let record = UserRecord {
                row: UserRow {
                    username: row.username,
                    name: row.name,
                    email: row.email,
                    state: row.state,
                    user_type: row.user_type,
                    admin: row.admin,
                    auditor: row.auditor,
                    external: row.external,
                    can_create_group: row.can_create_group,
                    projects_limit: row.projects_limit,
                    private_profile: row.private_profile,
                    confirmed_at: row.confirmed_at,
                },
                terms_accepted: row.terms_accepted,
                personal: personal(row.personal_id, row.personal_path, row.personal_name),
                confirmed_by_group_scim: row.confirmed_by_group_scim,
                enterprise_group: row.enterprise_group.map(NamespaceId),
            };
            (UserId(row.id), record)
        })
        .collect())
}

/// New users.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a username or an address is another user's.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[(i64, UserRow)]) -> Result<()> {
    sqlx::query!(
        "
        insert into users (
          id, username, name, email, state, user_type, admin, auditor, external, can_create_group, projects_limit,
          private_profile, confirmed_at
        )
        select
          id, username, name, email, state, user_type, admin, auditor, external, can_create_group, projects_limit,
          private_profile, confirmed_at
        from jsonb_populate_recordset(null::users, $1)
        ",
        Json(with_ids(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes users' rows. Usernames and addresses that pass from one user to another need statements of their own, in
/// order.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a username or an address is another user's.
pub async fn update(db: impl PgExecutor<'_>, rows: &[(i64, UserRow, UserRow)]) -> Result<()> {
    sqlx::query!(
        "
        update users
        set (
              username, name, email, state, user_type, admin, auditor, external, can_create_group,
              projects_limit, private_profile, confirmed_at
            ) = (
              select
                merged.username, merged.name, merged.email, merged.state, merged.user_type, merged.admin,
                merged.auditor, merged.external, merged.can_create_group, merged.projects_limit,
                merged.private_profile, merged.confirmed_at
              from jsonb_populate_record(users, stated.changes) as merged
            ),
            updated_at = now() at time zone 'utc'
        from jsonb_to_recordset($1) as stated (id bigint, changes jsonb)
        where users.id = stated.id
        ",
        Json(changes(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes whether users have accepted the terms of service. There is one edition of them, the first.
pub async fn set_accepted_terms(db: impl PgExecutor<'_>, users: &[i64], accepted: bool) -> Result<()> {
    sqlx::query!(
        "
        update users
        set accepted_term_id = case when $2 then coalesce(accepted_term_id, 1) end,
            updated_at = now() at time zone 'utc'
        where id = any($1)
        ",
        users,
        accepted
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A personal namespace that is to be made.
#[derive(Debug, Clone)]
pub struct NewPersonalNamespace {
    /// Its id.
    pub id: NamespaceId,
    /// Whose it is.
    pub owner: UserId,
    /// The username.
    pub path: String,
    /// The user's name.
    pub name: String,
}

/// Personal namespaces for users. Their derived rows are the caller's to refresh.
pub async fn insert_personal(db: impl PgExecutor<'_>, rows: &[NewPersonalNamespace]) -> Result<()> {
    sqlx::query!(
        "
        insert into namespaces (id, type, owner_id, path, name, traversal_ids)
        select id, 'User', owner_id, path, name, array[id]
        from unnest($1::bigint[], $2::bigint[], $3::varchar[], $4::varchar[]) as stated (id, owner_id, path, name)
        ",
        &rows.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.owner.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.path.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives personal namespaces their users' names. Their derived rows are the caller's to refresh.
pub async fn update_personal_names(db: impl PgExecutor<'_>, rows: &[(NamespaceId, String)]) -> Result<()> {
    let (ids, names): (Vec<i64>, Vec<String>) = rows.iter().map(|(id, name)| (id.0, name.clone())).unzip();
    sqlx::query!(
        "
        update namespaces
        set name = stated.name,
            updated_at = now() at time zone 'utc'
        from unnest($1::bigint[], $2::varchar[]) as stated (id, name)
        where namespaces.id = stated.id
        ",
        &ids,
        &names
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whose these addresses are, in lower case: first those that are users' first ones, then the further ones.
pub async fn list_addresses(
    db: impl PgExecutor<'_>,
    addresses: &[String],
) -> Result<(HashMap<String, UserId>, HashMap<String, UserId>)> {
    let rows = sqlx::query!(
        r#"
        select asked.email as "email!", users.id as "user_id!", true as "first!"
        from unnest($1::text[]) as asked (email)
        join users on lower(users.email) = asked.email
        union all
        select asked.email, emails.user_id, false
        from unnest($1::text[]) as asked (email)
        join emails on lower(emails.email) = asked.email
        "#,
        addresses
    )
    .fetch_all(db)
    .await?;
    let (mut first, mut further) = (HashMap::new(), HashMap::new());
    for row in rows {
        let owners = if row.first { &mut first } else { &mut further };
        owners.insert(row.email, UserId(row.user_id));
    }
    Ok((first, further))
}

/// The further addresses of these users.
pub async fn list_emails(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<(UserId, String, EmailRow)>> {
    let rows =
        sqlx::query!("select id, user_id, email, confirmed_at from emails where user_id = any($1) order by id", users)
            .fetch_all(db)
            .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UserId(row.user_id), row.email, EmailRow { id: row.id, confirmed_at: row.confirmed_at }))
        .collect())
}

/// A further address that is to be made.
#[derive(Debug, Clone)]
pub struct NewEmail {
    /// Whose it is.
    pub user: UserId,
    /// The address.
    pub email: String,
    /// When it was confirmed.
    pub confirmed_at: Option<NaiveDateTime>,
}

/// New further addresses.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one is there already.
pub async fn insert_emails(db: impl PgExecutor<'_>, rows: &[(i64, NewEmail)]) -> Result<()> {
    sqlx::query!(
        "
        insert into emails (id, user_id, email, confirmed_at)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::varchar[], $4::timestamp[])
        ",
        &rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.user.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.email.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.confirmed_at).collect::<Vec<_>>() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Confirms further addresses, or takes that back.
pub async fn update_emails(db: impl PgExecutor<'_>, rows: &[(i64, Option<NaiveDateTime>)]) -> Result<()> {
    let (ids, times): (Vec<i64>, Vec<Option<NaiveDateTime>>) = rows.iter().copied().unzip();
    sqlx::query!(
        "
        update emails
        set confirmed_at = stated.confirmed_at,
            updated_at = now() at time zone 'utc'
        from unnest($1::bigint[], $2::timestamp[]) as stated (id, confirmed_at)
        where emails.id = stated.id
        ",
        &ids,
        &times as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes further addresses.
pub async fn delete_emails(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from emails where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// The identities of these users at providers of the instance. Those of groups' SAML providers are not looked at.
pub async fn list_identities(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<(UserId, String, IdentityRow)>> {
    let rows = sqlx::query!(
        r#"
        select id, user_id as "user_id!", coalesce(provider, '') as "provider!", coalesce(extern_uid, '') as "extern_uid!"
        from identities
        where user_id = any($1)
          and saml_provider_id is null
        order by id
        "#,
        users
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UserId(row.user_id), row.provider, IdentityRow { id: row.id, extern_uid: row.extern_uid }))
        .collect())
}

/// Who has these identities, whatever their case: provider, name in lower case, and user.
pub async fn list_identity_owners(
    db: impl PgExecutor<'_>,
    providers: &[String],
    extern_uids: &[String],
) -> Result<Vec<(String, String, UserId)>> {
    let rows = sqlx::query!(
        r#"
        select asked.provider as "provider!", asked.extern_uid as "extern_uid!", identities.user_id as "user_id!"
        from unnest($1::text[], $2::text[]) as asked (provider, extern_uid)
        join identities
          on lower(identities.extern_uid) = asked.extern_uid
          and identities.provider = asked.provider
        where identities.saml_provider_id is null
          and identities.user_id is not null
        "#,
        providers,
        extern_uids
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.provider, row.extern_uid, UserId(row.user_id))).collect())
}

/// An identity that is to be made.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// Whose it is.
    pub user: UserId,
    /// The provider.
    pub provider: String,
    /// The user's name there.
    pub extern_uid: String,
}

/// New identities.
pub async fn insert_identities(db: impl PgExecutor<'_>, rows: &[(i64, NewIdentity)]) -> Result<()> {
    sqlx::query!(
        "
        insert into identities (id, user_id, provider, extern_uid)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::varchar[], $4::varchar[])
        ",
        &rows.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.user.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.provider.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.extern_uid.clone()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what providers call users.
pub async fn update_identities(db: impl PgExecutor<'_>, rows: &[(i64, String)]) -> Result<()> {
    let (ids, extern_uids): (Vec<i64>, Vec<String>) = rows.iter().cloned().unzip();
    sqlx::query!(
        "
        update identities
        set extern_uid = stated.extern_uid,
            updated_at = now() at time zone 'utc'
        from unnest($1::bigint[], $2::varchar[]) as stated (id, extern_uid)
        where identities.id = stated.id
        ",
        &ids,
        &extern_uids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes identities.
pub async fn delete_identities(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from identities where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// The one-time password secrets of these users; nothing for those who have none.
pub async fn list_otp_secrets(
    db: impl PgExecutor<'_>,
    seal: &Seal,
    users: &[i64],
) -> Result<HashMap<UserId, std::result::Result<SecretString, UnsealError>>> {
    let rows = sqlx::query!(
        r#"
        select
          id,
          encrypted_otp_secret as "ciphertext!",
          coalesce(encrypted_otp_secret_iv, '') as "iv!",
          coalesce(encrypted_otp_secret_salt, '') as "salt!"
        from users
        where id = any($1)
          and encrypted_otp_secret is not null
        "#,
        users
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let user = UserId(row.id);
            let sealed = SealedValue { ciphertext: row.ciphertext, iv: row.iv, salt: row.salt };
            (user, seal.open(&sealed, &two_factor::place(user)))
        })
        .collect())
}

/// The hashes of the passwords of these users; empty where they have none.
pub async fn list_passwords(db: impl PgExecutor<'_>, users: &[i64]) -> Result<HashMap<UserId, String>> {
    let rows = sqlx::query!("select id, encrypted_password from users where id = any($1)", users);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (UserId(row.id), row.encrypted_password)).collect())
}
