//! SSH keys: those of users, deploy keys, and the certificate authorities of groups.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{KeyId, NamespaceId, ProjectId, UserId};
use crate::domain::ssh_key::PublicKey;

/// A key as the table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// `keys.id`
    pub id: i64,
    /// `keys.user_id`
    pub user_id: Option<i64>,
    /// `keys.title`
    pub title: String,
    /// `keys.key`
    pub key: String,
    /// `keys.type`: `DeployKey`, or nothing for a user's key
    pub kind: Option<String>,
    /// `keys.public`
    pub public: bool,
    /// `keys.usage_type`
    pub usage_type: i16,
    /// `keys.expires_at`
    pub expires_at: Option<DateTime<Utc>>,
}

/// The title of the key with that id.
pub async fn find_title(db: impl PgExecutor<'_>, id: KeyId) -> Result<Option<String>> {
    let title = sqlx::query_scalar!(r#"select coalesce(title, '') as "title!" from keys where id = $1"#, id.0);
    Ok(title.fetch_optional(db).await?)
}

/// A key that is removed: its title, whose it was, and whether it was a deploy key.
#[derive(Debug, Clone)]
pub struct RemovedKey {
    /// Its title.
    pub title: String,
    /// Its owner.
    pub user: Option<(UserId, String)>,
    /// Whether it was a deploy key.
    pub deploy: bool,
}

/// Removes a key of a user's, or a deploy key from every project that has it.
pub async fn remove(conn: &mut PgConnection, id: KeyId) -> Result<Option<RemovedKey>> {
    let row = sqlx::query!(
        r#"
        select
          coalesce(keys.title, '') as "title!",
          keys.type is not distinct from 'DeployKey' as "deploy!",
          users.id as "user_id?",
          users.username
        from keys
        left join users on users.id = keys.user_id
        where keys.id = $1
        for update of keys
        "#,
        id.0
    );
    let Some(row) = row.fetch_optional(&mut *conn).await? else { return Ok(None) };
    sqlx::query!("delete from deploy_keys_projects where deploy_key_id = $1", id.0).execute(&mut *conn).await?;
    sqlx::query!("delete from keys where id = $1", id.0).execute(&mut *conn).await?;
    let user = row.user_id.map(|user| (UserId(user), row.username.unwrap_or_default()));
    Ok(Some(RemovedKey { title: row.title, user, deploy: row.deploy }))
}

/// The keys of a user that have that title.
pub async fn list_by_title(db: impl PgExecutor<'_>, user: UserId, title: &str) -> Result<Vec<KeyId>> {
    let ids = sqlx::query_scalar!(
        "
        select id
        from keys
        where user_id = $1
          and title = $2
          and type is distinct from 'DeployKey'
        order by id
        ",
        user.0,
        title
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(KeyId).collect())
}

/// The deploy keys of a project that have that title.
pub async fn list_deploy_keys_by_title(db: impl PgExecutor<'_>, project: ProjectId, title: &str) -> Result<Vec<KeyId>> {
    let ids = sqlx::query_scalar!(
        "
        select keys.id
        from deploy_keys_projects
        join keys on keys.id = deploy_keys_projects.deploy_key_id
        where deploy_keys_projects.project_id = $1
          and keys.title = $2
          and keys.type = 'DeployKey'
        order by keys.id
        ",
        project.0,
        title
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(KeyId).collect())
}

/// Whether the project uses the deploy key, and if so whether the key may push.
pub async fn find_deploy_key_push(db: impl PgExecutor<'_>, key: KeyId, project: ProjectId) -> Result<Option<bool>> {
    let can_push = sqlx::query_scalar!(
        "select can_push from deploy_keys_projects where deploy_key_id = $1 and project_id = $2",
        key.0,
        project.0
    );
    Ok(can_push.fetch_optional(db).await?)
}

/// Takes a deploy key from a project. A key that no project uses any more, and that is not public, is removed.
pub async fn delete_deploy_key_project(conn: &mut PgConnection, key: KeyId, project: ProjectId) -> Result<()> {
    sqlx::query!("delete from deploy_keys_projects where deploy_key_id = $1 and project_id = $2", key.0, project.0)
        .execute(&mut *conn)
        .await?;
    // A rule that names the key is the key's right to push to this project, and goes with it.
    sqlx::query!(
        "
        delete from protected_branch_push_access_levels
        using protected_branches
        where protected_branches.id = protected_branch_push_access_levels.protected_branch_id
          and protected_branch_push_access_levels.deploy_key_id = $1
          and protected_branches.project_id = $2
        ",
        key.0,
        project.0
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        delete from protected_tag_create_access_levels
        using protected_tags
        where protected_tags.id = protected_tag_create_access_levels.protected_tag_id
          and protected_tag_create_access_levels.deploy_key_id = $1
          and protected_tags.project_id = $2
        ",
        key.0,
        project.0
    )
    .execute(&mut *conn)
    .await?;
    delete_unused_deploy_keys(conn, &[key.0]).await
}

/// Removes those of the deploy keys that no project uses and that are not public.
pub async fn delete_unused_deploy_keys(db: impl PgExecutor<'_>, keys: &[i64]) -> Result<()> {
    sqlx::query!(
        "
        delete from keys
        where id = any($1)
          and type = 'DeployKey'
          and not public
          and not exists (
            select
            from deploy_keys_projects
            where deploy_keys_projects.deploy_key_id = keys.id
          )
        ",
        keys
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A certificate authority of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthorityRow {
    /// `group_ssh_certificates.id`
    pub id: i64,
    /// `group_ssh_certificates.namespace_id`
    pub namespace_id: i64,
    /// `group_ssh_certificates.title`
    pub title: String,
}

/// The certificate authority with that fingerprint, of any group.
pub async fn find_certificate_authority(
    db: impl PgExecutor<'_>,
    fingerprint: &[u8; 32],
) -> Result<Option<CertificateAuthorityRow>> {
    let row = sqlx::query_as!(
        CertificateAuthorityRow,
        "select id, namespace_id, title from group_ssh_certificates where fingerprint = $1",
        fingerprint.as_slice()
    );
    Ok(row.fetch_optional(db).await?)
}

/// A new certificate authority.
///
/// # Errors
/// [`super::Error::Duplicate`] where a group has it already.
pub async fn insert_certificate_authority(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    group: NamespaceId,
    title: &str,
    key: &PublicKey,
) -> Result<i64> {
    let fingerprint = key.sha256();
    let id = sqlx::query_scalar!(
        "
        insert into group_ssh_certificates (id, namespace_id, title, key, fingerprint)
        values (coalesce($1, nextval('group_ssh_certificates_id_seq')), $2, $3, $4, $5)
        returning id
        ",
        id,
        group.0,
        title,
        key.text(),
        fingerprint.as_slice()
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes the title of a certificate authority.
pub async fn update_certificate_authority(db: impl PgExecutor<'_>, id: i64, title: &str) -> Result<()> {
    sqlx::query!("update group_ssh_certificates set title = $2 where id = $1", id, title).execute(db).await?;
    Ok(())
}

/// Removes a certificate authority.
pub async fn delete_certificate_authority(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from group_ssh_certificates where id = $1", id).execute(db).await?;
    Ok(())
}

/// The key of that id, if it is one of the user's.
pub async fn find_id_of_user(db: impl PgExecutor<'_>, id: KeyId, user: UserId) -> Result<Option<KeyId>> {
    let id = sqlx::query_scalar!(
        "select id from keys where id = $1 and user_id = $2 and type is distinct from 'DeployKey'",
        id.0,
        user.0
    );
    Ok(id.fetch_optional(db).await?.map(KeyId))
}
