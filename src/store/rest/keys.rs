//! SSH keys and addresses as the REST API shows them.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use crate::domain::ids::UserId;
use crate::store::Result;

/// A key, of a user or for deployments.
#[derive(Debug, Clone)]
pub struct ListedKey {
    /// `keys.id`
    pub id: i64,
    /// `keys.user_id`
    pub user_id: Option<i64>,
    /// `keys.title`
    pub title: String,
    /// `keys.key`
    pub key: String,
    /// Whether it is a deploy key.
    pub deploy: bool,
    /// `keys.usage_type`
    pub usage_type: i16,
    /// `keys.created_at`
    pub created_at: Option<NaiveDateTime>,
    /// `keys.expires_at`
    pub expires_at: Option<DateTime<Utc>>,
    /// `keys.last_used_at`
    pub last_used_at: Option<NaiveDateTime>,
    /// `keys.updated_at`
    pub updated_at: Option<NaiveDateTime>,
}

/// The keys of a user, oldest first.
pub async fn list_of_user(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<ListedKey>> {
    let rows = sqlx::query_as!(
        ListedKey,
        r#"
        select
          id,
          user_id,
          coalesce(title, '') as "title!",
          coalesce(key, '') as "key!",
          false as "deploy!",
          usage_type,
          created_at,
          expires_at,
          last_used_at,
          updated_at
        from keys
        where user_id = $1
          and type is distinct from 'DeployKey'
        order by id
        "#,
        user.0
    );
    Ok(rows.fetch_all(db).await?)
}

/// How a key is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyQuestion {
    /// By its id.
    Id(i64),
    /// By its SHA-256.
    Sha256(Vec<u8>),
    /// By its MD5, as pairs of digits with colons between them.
    Md5(String),
}

/// The key that is asked for, whoever has it.
pub async fn find(db: impl PgExecutor<'_>, question: &KeyQuestion) -> Result<Option<ListedKey>> {
    let (id, sha256, md5) = match question {
        KeyQuestion::Id(id) => (Some(*id), None, None),
        KeyQuestion::Sha256(digest) => (None, Some(digest.as_slice()), None),
        KeyQuestion::Md5(digest) => (None, None, Some(digest.as_str())),
    };
    let row = sqlx::query_as!(
        ListedKey,
        r#"
        select
          id,
          user_id,
          coalesce(title, '') as "title!",
          coalesce(key, '') as "key!",
          type is not distinct from 'DeployKey' as "deploy!",
          usage_type,
          created_at,
          expires_at,
          last_used_at,
          updated_at
        from keys
        where id = $1
          or fingerprint_sha256 = $2
          or fingerprint = $3
        order by id
        limit 1
        "#,
        id,
        sha256,
        md5
    );
    Ok(row.fetch_optional(db).await?)
}

/// That a project uses a deploy key.
#[derive(Debug, Clone)]
pub struct KeyUse {
    /// `deploy_keys_projects.id`
    pub id: i64,
    /// `deploy_keys_projects.deploy_key_id`
    pub deploy_key_id: i64,
    /// `deploy_keys_projects.project_id`
    pub project_id: i64,
    /// `deploy_keys_projects.can_push`
    pub can_push: bool,
    /// `deploy_keys_projects.created_at`
    pub created_at: Option<NaiveDateTime>,
    /// `deploy_keys_projects.updated_at`
    pub updated_at: Option<NaiveDateTime>,
}

/// The projects that use a deploy key.
pub async fn list_uses(db: impl PgExecutor<'_>, key: i64) -> Result<Vec<KeyUse>> {
    let rows = sqlx::query_as!(
        KeyUse,
        "
        select id, deploy_key_id, project_id, can_push, created_at, updated_at
        from deploy_keys_projects
        where deploy_key_id = $1
        order by id
        ",
        key
    );
    Ok(rows.fetch_all(db).await?)
}

/// A key that is to be a user's.
#[derive(Debug, Clone)]
pub struct NewUserKey<'a> {
    /// Whose it will be.
    pub user: UserId,
    /// Its title.
    pub title: &'a str,
    /// Its line.
    pub key: &'a str,
    /// Its SHA-256.
    pub sha256: &'a [u8],
    /// `keys.usage_type`
    pub usage_type: i16,
    /// From when on it is refused.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Gives a user a key.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where somebody has it already.
pub async fn insert(db: impl PgExecutor<'_>, key: NewUserKey<'_>, now: DateTime<Utc>) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into keys (user_id, title, key, fingerprint_sha256, fingerprint, usage_type, expires_at, created_at)
        values ($1, $2, $3, $4, gatehouse_key_md5($3), $5, $6, $7)
        returning id
        ",
        key.user.0,
        key.title,
        key.key,
        key.sha256,
        key.usage_type,
        key.expires_at,
        now.naive_utc()
    );
    Ok(id.fetch_one(db).await?)
}

/// A further address of a user.
#[derive(Debug, Clone)]
pub struct ListedEmail {
    /// `emails.id`
    pub id: i64,
    /// `emails.email`
    pub email: String,
    /// `emails.confirmed_at`
    pub confirmed_at: Option<NaiveDateTime>,
    /// `emails.updated_at`
    pub updated_at: Option<NaiveDateTime>,
}

/// The further addresses of a user, oldest first.
pub async fn list_emails(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<ListedEmail>> {
    let rows = sqlx::query_as!(
        ListedEmail,
        "select id, email, confirmed_at, updated_at from emails where user_id = $1 order by id",
        user.0
    );
    Ok(rows.fetch_all(db).await?)
}

/// Gives a user a further address.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where somebody has it already.
pub async fn insert_email(
    db: impl PgExecutor<'_>,
    user: UserId,
    email: &str,
    confirmed_at: Option<DateTime<Utc>>,
) -> Result<ListedEmail> {
    let row = sqlx::query_as!(
        ListedEmail,
        "
        insert into emails (user_id, email, confirmed_at)
        values ($1, $2, $3)
        returning id, email, confirmed_at, updated_at
        ",
        user.0,
        email,
        confirmed_at.map(|at| at.naive_utc())
    );
    Ok(row.fetch_one(db).await?)
}

/// Takes a further address from a user: what it was.
pub async fn delete_email(db: impl PgExecutor<'_>, user: UserId, id: i64) -> Result<Option<String>> {
    let email = sqlx::query_scalar!("delete from emails where id = $1 and user_id = $2 returning email", id, user.0);
    Ok(email.fetch_optional(db).await?)
}
