//! Deploy keys and the projects that use them: what clients read and change, one by one.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use super::protections::RowRange;
use crate::domain::ids::{KeyId, ProjectId, UserId};

/// A deploy key.
#[derive(Debug, Clone)]
pub struct DeployKeyRow {
    /// `keys.id`
    pub id: i64,
    /// `keys.title`
    pub title: String,
    /// `keys.key`
    pub key: String,
    /// `keys.created_at`
    pub created_at: Option<NaiveDateTime>,
    /// When it was changed last: the key, or what the project that was asked about says of it.
    pub updated_at: Option<NaiveDateTime>,
    /// `keys.expires_at`
    pub expires_at: Option<DateTime<Utc>>,
    /// `keys.last_used_at`
    pub last_used_at: Option<NaiveDateTime>,
    /// `keys.usage_type`
    pub usage_type: i16,
    /// `keys.fingerprint`, by MD5
    pub fingerprint: Option<String>,
    /// `keys.fingerprint_sha256`
    pub fingerprint_sha256: Option<Vec<u8>>,
    /// Whether it may push to the project that was asked about.
    pub can_push: bool,
}

/// The deploy keys of a project, or that one of them.
pub async fn list_of_project(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    key: Option<KeyId>,
    range: RowRange,
) -> Result<Vec<DeployKeyRow>> {
    let rows = sqlx::query_as!(
        DeployKeyRow,
        r#"
        select
          keys.id,
          coalesce(keys.title, '') as "title!",
          coalesce(keys.key, '') as "key!",
          keys.created_at,
          greatest(keys.updated_at, uses.updated_at) as updated_at,
          keys.expires_at,
          keys.last_used_at,
          keys.usage_type,
          keys.fingerprint,
          keys.fingerprint_sha256,
          uses.can_push
        from deploy_keys_projects as uses
        join keys on keys.id = uses.deploy_key_id
        where uses.project_id = $1
          and keys.type = 'DeployKey'
          and ($2::bigint is null or keys.id = $2)
        order by keys.id
        limit $3
        offset $4
        "#,
        project.0,
        key.map(|key| key.0),
        range.limit,
        range.offset
    );
    Ok(rows.fetch_all(db).await?)
}

/// How many deploy keys a project has.
pub async fn count_of_project(db: impl PgExecutor<'_>, project: ProjectId) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from deploy_keys_projects as uses
        join keys on keys.id = uses.deploy_key_id
        where uses.project_id = $1
          and keys.type = 'DeployKey'
        "#,
        project.0
    );
    Ok(count.fetch_one(db).await?)
}

/// The deploy keys of the installation, or those alone that any project may enable.
pub async fn list_all(db: impl PgExecutor<'_>, public: bool, range: RowRange) -> Result<Vec<DeployKeyRow>> {
    let rows = sqlx::query_as!(
        DeployKeyRow,
        r#"
        select
          id,
          coalesce(title, '') as "title!",
          coalesce(key, '') as "key!",
          created_at,
          updated_at,
          expires_at,
          last_used_at,
          usage_type,
          fingerprint,
          fingerprint_sha256,
          false as "can_push!"
        from keys
        where type = 'DeployKey'
          and (public or not $1)
        order by id
        limit $2
        offset $3
        "#,
        public,
        range.limit,
        range.offset
    );
    Ok(rows.fetch_all(db).await?)
}

/// The deploy key of that id.
pub async fn find(db: impl PgExecutor<'_>, key: KeyId) -> Result<Option<DeployKeyRow>> {
    let row = sqlx::query_as!(
        DeployKeyRow,
        r#"
        select
          id,
          coalesce(title, '') as "title!",
          coalesce(key, '') as "key!",
          created_at,
          updated_at,
          expires_at,
          last_used_at,
          usage_type,
          fingerprint,
          fingerprint_sha256,
          false as "can_push!"
        from keys
        where id = $1
          and type = 'DeployKey'
        "#,
        key.0
    );
    Ok(row.fetch_optional(db).await?)
}

/// How many deploy keys [`list_all`] can list, up to so many.
pub async fn count_all(db: impl PgExecutor<'_>, public: bool, most: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
        select count(*) as "count!"
        from (select from keys where type = 'DeployKey' and (public or not $1) limit $2) as found
        "#,
        public,
        most
    );
    Ok(count.fetch_one(db).await?)
}

/// A project that uses a deploy key.
#[derive(Debug, Clone)]
pub struct UsingProjectRow {
    /// The key.
    pub key: i64,
    /// Whether it may push there.
    pub can_push: bool,
    /// `projects.id`
    pub id: i64,
    /// `projects.description`
    pub description: Option<String>,
    /// `projects.name`
    pub name: String,
    /// The name with those of all that is above it.
    pub full_name: String,
    /// `projects.path`
    pub path: String,
    /// The full path.
    pub full_path: String,
    /// `projects.created_at`
    pub created_at: Option<NaiveDateTime>,
}

/// The projects that use these deploy keys.
pub async fn list_using_projects(db: impl PgExecutor<'_>, keys: &[i64]) -> Result<Vec<UsingProjectRow>> {
    let rows = sqlx::query_as!(
        UsingProjectRow,
        r#"
        select
          uses.deploy_key_id as key,
          uses.can_push,
          projects.id,
          projects.description,
          coalesce(projects.name, '') as "name!",
          coalesce(routes.name, '') as "full_name!",
          coalesce(projects.path, '') as "path!",
          routes.path as full_path,
          projects.created_at
        from deploy_keys_projects as uses
        join projects on projects.id = uses.project_id
        join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        where uses.deploy_key_id = any ($1)
        order by projects.id
        "#,
        keys
    );
    Ok(rows.fetch_all(db).await?)
}

/// How a key that is known already stands to somebody who wants a project to use it.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct KnownDeployKey {
    /// The key.
    pub id: KeyId,
    /// Whether the project uses it.
    pub used_here: bool,
    /// Whether other projects use it.
    pub used_elsewhere: bool,
    /// Whether any project may enable it.
    pub public: bool,
    /// Whether they maintain a project that uses it.
    pub maintained: bool,
    /// Whether it has an owner, with whose rights it pushes; the ghost user has none.
    pub owned: bool,
}

/// The deploy key of this id or of this fingerprint, and how it stands to the user and the project. Its row stays locked
/// until the transaction ends, so that it does not go meanwhile.
pub async fn lock_known(
    db: impl PgExecutor<'_>,
    id: Option<KeyId>,
    fingerprint: Option<&[u8; 32]>,
    project: ProjectId,
    user: UserId,
) -> Result<Option<KnownDeployKey>> {
    let row = sqlx::query!(
        r#"
        select
          keys.id,
          keys.public,
          exists (
            select
            from deploy_keys_projects as uses
            where uses.deploy_key_id = keys.id
              and uses.project_id = $3
          ) as "used_here!",
          exists (
            select
            from deploy_keys_projects as uses
            where uses.deploy_key_id = keys.id
              and uses.project_id <> $3
          ) as "used_elsewhere!",
          exists (
            select
            from deploy_keys_projects as uses
            join project_authorizations as rights on rights.project_id = uses.project_id
            where uses.deploy_key_id = keys.id
              and rights.user_id = $4
              and rights.access_level >= 40
          ) as "maintained!",
          exists (
            select
            from users
            where users.id = keys.user_id
              -- 5 is the ghost user.
              and users.user_type <> 5
          ) as "owned!"
        from keys
        where keys.type = 'DeployKey'
          and (keys.id = $1 or keys.fingerprint_sha256 = $2)
        for no key update of keys
        "#,
        id.map(|id| id.0),
        fingerprint.map(<[u8; 32]>::as_slice),
        project.0,
        user.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| KnownDeployKey {
        id: KeyId(row.id),
        used_here: row.used_here,
        used_elsewhere: row.used_elsewhere,
        public: row.public,
        maintained: row.maintained,
        owned: row.owned,
    }))
}

/// Gives a deploy key another title.
pub async fn update_title(db: impl PgExecutor<'_>, key: KeyId, title: &str) -> Result<()> {
    sqlx::query!("update keys set title = $2, updated_at = now() at time zone 'utc' where id = $1", key.0, title)
        .execute(db)
        .await?;
    Ok(())
}

/// Gives a deploy key an owner, with whose rights it pushes.
pub async fn update_owner(db: impl PgExecutor<'_>, key: KeyId, owner: UserId) -> Result<()> {
    sqlx::query!("update keys set user_id = $2, updated_at = now() at time zone 'utc' where id = $1", key.0, owner.0)
        .execute(db)
        .await?;
    Ok(())
}
