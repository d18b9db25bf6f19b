//! Who stands behind a key, an id or a name.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::access::ActorName;
use crate::domain::ids::UserId;

/// A key that somebody offers to log in with.
#[derive(Debug)]
pub struct LoginKey {
    /// `keys.id`
    pub id: i64,
    /// What its owner calls it.
    pub title: String,
    /// The line of OpenSSH's format, its comment included.
    pub key: String,
    /// 0 for everything, 1 for logins alone.
    pub usage_type: i16,
    /// When it was added.
    pub created_at: Option<NaiveDateTime>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// The display name of its owner; of a deploy key, its creator or the ghost user.
    pub owner_name: String,
}

/// The key with this SHA-256 fingerprint, where it may authenticate. A user's key whose user is gone is not found.
pub async fn find_login_key(db: impl PgExecutor<'_>, fingerprint: &[u8; 32]) -> Result<Option<LoginKey>> {
    let key = sqlx::query_as!(
        LoginKey,
        r#"
        select
          keys.id,
          coalesce(keys.title, '') as "title!",
          coalesce(keys.key, '') as "key!",
          keys.usage_type,
          keys.created_at,
          keys.expires_at,
          coalesce(owner.name, owner.username, 'Ghost User') as "owner_name!"
        from keys
        left join users as owner on owner.id = keys.user_id
        where keys.fingerprint_sha256 = $1
          and keys.usage_type in (0, 1)
          and (owner.id is not null or keys.type = 'DeployKey')
        "#,
        fingerprint.as_slice(),
    )
    .fetch_optional(db)
    .await?;
    Ok(key)
}

/// A user on whose behalf git acts.
#[derive(Debug)]
pub struct ActingUser {
    /// Their id.
    pub id: UserId,
    /// Their name on this installation.
    pub username: String,
    /// Their display name.
    pub name: String,
}

/// The user that a request names: by id, by name without regard to case, as the owner of a key that may authenticate,
/// or as the creator of a deploy key (the ghost user where the creator is gone). Blocked users are found too.
pub async fn find_acting_user(db: impl PgExecutor<'_>, actor: &ActorName) -> Result<Option<ActingUser>> {
    let (mut key, mut user, mut username, mut kerberos) = (None, None, None, None);
    match actor {
        ActorName::Key(id) => key = Some(id.0),
        ActorName::User(id) => user = Some(id.0),
        ActorName::Username(name) => username = Some(name),
        ActorName::Kerberos(principal) => kerberos = Some(principal),
        ActorName::Credential(_) | ActorName::Nobody => return Ok(None),
    }
    let row = sqlx::query!(
        r#"
        select
          users.id,
          coalesce(users.username, '') as "username!",
          coalesce(users.name, '') as "name!"
        from users
        where users.id = coalesce(
          $2,
          (select keys.user_id from keys where keys.id = $1 and keys.usage_type in (0, 1)),
          (select named.id from users as named where lower(named.username) = lower($3) order by named.id limit 1),
          (
            select identities.user_id
            from identities
            where lower(identities.extern_uid) = lower($4)
              and identities.provider = 'kerberos'
            order by identities.id
            limit 1
          ),
          (
            -- User type 5 is the ghost, who stands in for the creator of a deploy key.
            select ghost.id
            from keys
            join users as ghost on ghost.state = 'active' and ghost.user_type = 5
            where keys.id = $1
              and keys.type = 'DeployKey'
              and keys.usage_type in (0, 1)
            order by ghost.id
            limit 1
          )
        )
        "#,
        key,
        user,
        username,
        kerberos,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ActingUser { id: UserId(row.id), username: row.username, name: row.name }))
}
