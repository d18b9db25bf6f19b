//! SCIM: the identities of a group or of the installation, the tokens that open them, and the groups' providers.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use super::scim_search::FoundUser;
use crate::domain::ids::{NamespaceId, UserId};
use crate::domain::scim::Scope;
use crate::domain::scim::tenant::{Group, Provider};

/// The same statement over the table of a scope. `TABLE` stands for it, and `IN_SCOPE` for the condition that the row
/// `identity` is of the scope, whose group is the statement's first parameter.
macro_rules! over_scope {
    ($scope:expr, $group:ident => $macro:ident!([$($row:ident)?] $head:literal, TABLE, $middle:literal, IN_SCOPE, $tail:literal $(, $arg:expr)*) $($then:tt)*) => {
        match $scope {
            Scope::Group(NamespaceId(id)) => {
                let $group = Some(id);
                sqlx::$macro!(
                    $($row,)?
                    $head + "group_scim_identities" + $middle + "identity.group_id = $1" + $tail,
                    $group
                    $(, $arg)*
                ) $($then)*
            }
            Scope::Instance => {
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

/// What the token with this SHA-256 opens.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_scope_of_token(db: impl PgExecutor<'_>, digest: &[u8; 32]) -> Result<Option<Scope>> {
    let row = sqlx::query!(
        r#"
        select group_id as "group_id?"
        from group_scim_auth_access_tokens
        where token_encrypted = $1
        union all
        select group_id
        from scim_oauth_access_tokens
        where token_encrypted = encode($1, 'hex')
          and group_id is null
        "#,
        digest.as_slice()
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|row| row.group_id.map_or(Scope::Instance, |id| Scope::Group(NamespaceId(id)))))
}

/// The SHA-256 of the scope's token.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_token(db: impl PgExecutor<'_>, scope: Scope) -> Result<Option<Vec<u8>>> {
    let digest = match scope {
        Scope::Group(group) => {
            sqlx::query_scalar!(
                "select token_encrypted from group_scim_auth_access_tokens where group_id = $1",
                group.0
            )
            .fetch_optional(db)
            .await?
        }
        Scope::Instance => sqlx::query_scalar!(
            r#"select decode(token_encrypted, 'hex') as "digest!" from scim_oauth_access_tokens where group_id is null"#
        )
        .fetch_optional(db)
        .await?,
    };
    Ok(digest)
}

/// Makes this the scope's token. The one before it opens nothing any more.
///
/// # Errors
/// [`super::Error::Duplicate`] where it is the token of another scope.
pub async fn replace_token(db: impl PgExecutor<'_>, scope: Scope, digest: &[u8; 32]) -> Result<()> {
    match scope {
        Scope::Group(group) => {
            sqlx::query!(
                "
                insert into group_scim_auth_access_tokens (group_id, token_encrypted)
                values ($1, $2)
                on conflict (group_id) do update
                set token_encrypted = excluded.token_encrypted,
                    updated_at = now()
                ",
                group.0,
                digest.as_slice()
            )
            .execute(db)
            .await?;
        }
        Scope::Instance => {
            sqlx::query!(
                "
                insert into scim_oauth_access_tokens (organization_id, token_encrypted)
                values (1, encode($1, 'hex'))
                on conflict ((group_id is null)) where group_id is null do update
                set token_encrypted = excluded.token_encrypted,
                    updated_at = now()
                ",
                digest.as_slice()
            )
            .execute(db)
            .await?;
        }
    }
    Ok(())
}

/// The group with this id, and in it `None` where it has no SAML provider, as subgroups never do.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_group_by_id(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Option<Group>>> {
    let row = sqlx::query_as!(
        GroupRow,
        r#"
        select
          namespaces.id,
          namespaces.name,
          routes.path as full_path,
          provider.id as "provider_id?",
          provider.enabled as "enabled?",
          provider.enforced_sso as "enforced_sso?",
          provider.default_membership_role as "default_role?",
          provider.member_role_id as "member_role?"
        from namespaces
        join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join saml_providers as provider on provider.group_id = namespaces.id and namespaces.parent_id is null
        where namespaces.id = $1
          and namespaces.type = 'Group'
        order by provider.id
        limit 1
        "#,
        id
    );
    Ok(row.fetch_optional(db).await?.map(GroupRow::group))
}

/// The group at this full path in any letter case, and in it `None` where it has no SAML provider.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_group_by_path(db: impl PgExecutor<'_>, path: &str) -> Result<Option<Option<Group>>> {
    let row = sqlx::query_as!(
        GroupRow,
        r#"
        select
          namespaces.id,
          namespaces.name,
          routes.path as full_path,
          provider.id as "provider_id?",
          provider.enabled as "enabled?",
          provider.enforced_sso as "enforced_sso?",
          provider.default_membership_role as "default_role?",
          provider.member_role_id as "member_role?"
        from routes
        join namespaces on namespaces.id = routes.source_id
        left join saml_providers as provider on provider.group_id = namespaces.id and namespaces.parent_id is null
        where lower(routes.path) = lower($1)
          and routes.source_type = 'Namespace'
          and namespaces.type = 'Group'
        order by routes.path = $1 desc, provider.id
        limit 1
        "#,
        path
    );
    Ok(row.fetch_optional(db).await?.map(GroupRow::group))
}

struct GroupRow {
    id: i64,
    name: String,
    full_path: String,
    provider_id: Option<i64>,
    enabled: Option<bool>,
    enforced_sso: Option<bool>,
    default_role: Option<i16>,
    member_role: Option<i64>,
}

impl GroupRow {
    fn group(self) -> Option<Group> {
        let provider = Provider {
            id: self.provider_id?,
            enabled: self.enabled?,
            enforced_sso: self.enforced_sso?,
            default_role: self.default_role?.into(),
            member_role: self.member_role,
        };
        Some(Group { id: NamespaceId(self.id), name: self.name, full_path: self.full_path, provider })
    }
}

/// The user whom the scope's provider calls so, in any letter case.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_user(db: impl PgExecutor<'_>, scope: Scope, extern_uid: &str) -> Result<Option<FoundUser>> {
    let row = over_scope!(scope, group => query_as!(
        [FoundUser]
        r#"
        select
          identity.extern_uid,
          coalesce(identity.active, true) as "active!",
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          users.email,
          identity.created_at,
          greatest(identity.updated_at, users.updated_at at time zone 'utc') as "updated_at!"
        from "#, TABLE, r#" as identity
        join users on users.id = identity.user_id
        where "#, IN_SCOPE, " and lower(identity.extern_uid) = lower($2)",
        extern_uid
    ).fetch_optional(db).await?);
    Ok(row)
}

/// An identity and its user, held against other writers.
#[derive(Debug, Clone)]
pub struct HeldIdentity {
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
    /// `users.email`
    pub email: String,
    /// Not a person: a bot or a service account.
    pub is_bot: bool,
    /// When the identity or the user changed last.
    pub updated_at: DateTime<Utc>,
}

/// The identity that the scope's provider calls so, locked until the transaction ends.
///
/// # Errors
/// Where the database does not answer.
pub async fn hold(db: impl PgExecutor<'_>, scope: Scope, extern_uid: &str) -> Result<Option<HeldIdentity>> {
    let row = over_scope!(scope, group => query_as!(
        [HeldRow]
        r#"
        select
          identity.id,
          identity.user_id,
          identity.extern_uid,
          coalesce(identity.active, true) as "active!",
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!",
          users.email,
          users.user_type <> 0 as "is_bot!",
          greatest(identity.updated_at, users.updated_at at time zone 'utc') as "updated_at!"
        from "#, TABLE, r#" as identity
        join users on users.id = identity.user_id
        where "#, IN_SCOPE, " and lower(identity.extern_uid) = lower($2) for update of identity",
        extern_uid
    ).fetch_optional(db).await?);
    Ok(row.map(|row| HeldIdentity {
        id: row.id,
        user: UserId(row.user_id),
        extern_uid: row.extern_uid,
        active: row.active,
        username: row.username,
        name: row.name,
        email: row.email,
        is_bot: row.is_bot,
        updated_at: row.updated_at,
    }))
}

struct HeldRow {
    id: i64,
    user_id: i64,
    extern_uid: String,
    active: bool,
    username: String,
    name: String,
    email: String,
    is_bot: bool,
    updated_at: DateTime<Utc>,
}

/// The id of the user's identity in the scope.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_id_by_user(db: impl PgExecutor<'_>, scope: Scope, user: UserId) -> Result<Option<i64>> {
    let id = over_scope!(scope, group => query_scalar!(
        []
        "select identity.id from ", TABLE, " as identity where ", IN_SCOPE, " and identity.user_id = $2",
        user.0
    ).fetch_optional(db).await?);
    Ok(id)
}

/// The user whom the scope's provider calls so.
///
/// # Errors
/// Where the database does not answer.
pub async fn find_user_id(db: impl PgExecutor<'_>, scope: Scope, extern_uid: &str) -> Result<Option<UserId>> {
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
    scope: Scope,
    id: Option<i64>,
    user: UserId,
    extern_uid: &str,
    active: bool,
) -> Result<i64> {
    let id = match scope {
        Scope::Group(group) => {
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
        Scope::Instance => {
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
pub async fn update(db: impl PgExecutor<'_>, scope: Scope, id: i64, extern_uid: &str, active: bool) -> Result<()> {
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
///
/// # Errors
/// Where the database does not answer.
pub async fn delete(db: impl PgExecutor<'_>, scope: Scope, id: i64) -> Result<()> {
    over_scope!(scope, group => query!(
        []
        "delete from ", TABLE, " as identity where ", IN_SCOPE, " and identity.id = $2",
        id
    ).execute(db).await?);
    Ok(())
}
