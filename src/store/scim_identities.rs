//! SCIM: the identities of a group or of the installation, one by one.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use super::locks::{WantedName, take_names};
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::scim::ScimScope;

/// The same statement over the table of a scope. `TABLE` stands for it, and `IN_SCOPE` for the condition that the row
/// `identity` is of the scope, whose group is the statement's first parameter.
macro_rules! over_scope {
    ($scope:expr, $group:ident => $macro:ident!([$($row:ident)?] $head:literal, TABLE, $middle:literal, IN_SCOPE, $tail:literal $(, $arg:expr)*) $($then:tt)*) => {
        match $scope {
            ScimScope::Group(NamespaceId(id)) => {
                let $group = Some(id);
                sqlx::$macro!(
                    $($row,)?
                    $head + "group_scim_identities" + $middle + "identity.group_id = $1" + $tail,
                    $group
                    $(, $arg)*
                ) $($then)*
            }
            ScimScope::Instance => {
                let $group: Option<i64> = None;
                sqlx::$macro!(
                    $($row,)?
                    $head + "scim_identities" + $middle + "identity.group_id is null and $1::bigint is null" + $tail,
                    $group
                    $(, $arg)*
                ) $($then)*
            }
        }
    };
}

/// An identity and its user, locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct LockedIdentity {
    /// Its id.
    pub id: i64,
    /// The user.
    pub user: UserId,
    /// What the provider calls the user.
    pub extern_uid: String,
    /// The identity's flag.
    pub active: bool,
    /// `users.username`
    pub username: String,
    /// `users.name`
    pub name: String,
    /// When the identity or the user changed last.
    pub updated_at: DateTime<Utc>,
}

/// The identity that the scope's provider calls so, locked until the transaction ends.
pub async fn lock_for_update(
    db: impl PgExecutor<'_>,
    scope: ScimScope,
    extern_uid: &str,
) -> Result<Option<LockedIdentity>> {
    let row = over_scope!(scope, group => query_as!(
        [LockedIdentityRow]
        r#"
        select
          identity.id,
          identity.user_id,
          identity.extern_uid,
          coalesce(identity.active, true) as "active!",
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          greatest(identity.updated_at, users.updated_at at time zone 'utc') as "updated_at!"
        from "#, TABLE, r#" as identity
        join users on users.id = identity.user_id
        where "#, IN_SCOPE, " and lower(identity.extern_uid) = lower($2) for update of identity",
        extern_uid
    ).fetch_optional(db).await?);
    Ok(row.map(|row| LockedIdentity {
        id: row.id,
        user: UserId(row.user_id),
        extern_uid: row.extern_uid,
        active: row.active,
        username: row.username,
        name: row.name,
        updated_at: row.updated_at,
    }))
}

struct LockedIdentityRow {
    id: i64,
    user_id: i64,
    extern_uid: String,
    active: bool,
    username: String,
    name: String,
    updated_at: DateTime<Utc>,
}

/// Has others wait until the transaction ends who ask for the same identity, the same address or the same user name: there
/// are no rows yet that could be locked.
pub async fn lock_names(
    db: impl PgExecutor<'_>,
    scope: ScimScope,
    extern_uid: &str,
    email: &str,
    username: &str,
) -> Result<()> {
    let scope = match scope {
        ScimScope::Group(group) => group.to_string(),
        ScimScope::Instance => "instance".to_owned(),
    };
    let names = [
        WantedName::ScimIdentity(&scope, extern_uid),
        WantedName::Email(email),
        WantedName::Username(username),
        WantedName::Path(username),
    ];
    take_names(db, &names).await
}

/// An identity, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimIdentityRow {
    /// Its id.
    pub id: i64,
    /// What the provider calls the user.
    pub extern_uid: String,
    /// Its flag.
    pub active: bool,
}

/// The user's identity in the scope.
pub async fn find_by_user(db: impl PgExecutor<'_>, scope: ScimScope, user: UserId) -> Result<Option<ScimIdentityRow>> {
    let row = over_scope!(scope, group => query_as!(
        [ScimIdentityRow]
        r#"select identity.id, identity.extern_uid, coalesce(identity.active, true) as "active!" from "#,
        TABLE,
        " as identity where ",
        IN_SCOPE,
        " and identity.user_id = $2",
        user.0
    ).fetch_optional(db).await?);
    Ok(row)
}

/// The id of the user's identity in the scope.
pub async fn find_id_by_user(db: impl PgExecutor<'_>, scope: ScimScope, user: UserId) -> Result<Option<i64>> {
    let id = over_scope!(scope, group => query_scalar!(
        []
        "select identity.id from ", TABLE, " as identity where ", IN_SCOPE, " and identity.user_id = $2",
        user.0
    ).fetch_optional(db).await?);
    Ok(id)
}

/// The user that the scope's provider calls so.
pub async fn find_user_id(db: impl PgExecutor<'_>, scope: ScimScope, extern_uid: &str) -> Result<Option<UserId>> {
    let id = over_scope!(scope, group => query_scalar!(
        []
        "select identity.user_id from ", TABLE, " as identity where ", IN_SCOPE, " and lower(identity.extern_uid) = lower($2)",
        extern_uid
    ).fetch_optional(db).await?);
    Ok(id.map(UserId))
}

/// A new identity, with the given id or the next one.
///
/// # Errors
/// [`super::Error::Duplicate`] where the user has one in the scope, or another user this one.
pub async fn insert(
    db: impl PgExecutor<'_>,
    scope: ScimScope,
    id: Option<i64>,
    user: UserId,
    extern_uid: &str,
    active: bool,
) -> Result<i64> {
    let id = match scope {
        ScimScope::Group(group) => {
            sqlx::query_scalar!(
                "
                insert into group_scim_identities (id, group_id, user_id, extern_uid, active)
                values (coalesce($1, nextval('group_scim_identities_id_seq')), $2, $3, $4, $5)
                returning id
                ",
                id,
                group.0,
                user.0,
                extern_uid,
                active
            )
            .fetch_one(db)
            .await?
        }
        ScimScope::Instance => {
            sqlx::query_scalar!(
                "
                insert into scim_identities (id, user_id, extern_uid, active)
                values (coalesce($1, nextval('scim_identities_id_seq')), $2, $3, $4)
                returning id
                ",
                id,
                user.0,
                extern_uid,
                active
            )
            .fetch_one(db)
            .await?
        }
    };
    Ok(id)
}

/// Writes what may change about an identity.
///
/// # Errors
/// [`super::Error::Duplicate`] where another identity of the scope has the `extern_uid`.
pub async fn update(db: impl PgExecutor<'_>, scope: ScimScope, id: i64, extern_uid: &str, active: bool) -> Result<()> {
    over_scope!(scope, group => query!(
        []
        "update ", TABLE, " as identity
        set extern_uid = $3, active = $4, updated_at = clock_timestamp()
        where ", IN_SCOPE, " and identity.id = $2",
        id,
        extern_uid,
        active
    ).execute(db).await?);
    Ok(())
}

/// Removes an identity, and nothing else of its user's.
pub async fn delete(db: impl PgExecutor<'_>, scope: ScimScope, id: i64) -> Result<()> {
    over_scope!(scope, group => query!(
        []
        "delete from ", TABLE, " as identity where ", IN_SCOPE, " and identity.id = $2",
        id
    ).execute(db).await?);
    Ok(())
}
