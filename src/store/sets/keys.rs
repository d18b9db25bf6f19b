//! SSH keys of users and deploy keys.

use std::collections::HashMap;

use sqlx::PgExecutor;

use crate::domain::ids::{KeyId, ProjectId};
use crate::store::Result;
use crate::store::keys::KeyRow;

/// A key's SHA-256 fingerprint.
pub type Fingerprint = [u8; 32];

/// The keys with these fingerprints, whoever owns them.
pub async fn list_by_fingerprint(
    db: impl PgExecutor<'_>,
    fingerprints: &[Fingerprint],
) -> Result<HashMap<Fingerprint, KeyRow>> {
    let fingerprints: Vec<&[u8]> = fingerprints.iter().map(<[u8; 32]>::as_slice).collect();
    let rows = sqlx::query!(
        r#"
        select
          fingerprint_sha256 as "fingerprint!", id, user_id, coalesce(title, '') as "title!", coalesce(key, '') as "key!",
          type as kind, public, usage_type, expires_at
        from keys
        where fingerprint_sha256 = any($1)
        "#,
        &fingerprints as _
    )
    .fetch_all(db)
    .await?;
    let mut keys = HashMap::with_capacity(rows.len());
    for row in rows {
        let Ok(fingerprint) = Fingerprint::try_from(row.fingerprint.as_slice()) else { continue };
        let key = KeyRow {
            id: row.id,
            user_id: row.user_id,
            title: row.title,
            key: row.key,
            kind: row.kind,
            public: row.public,
            usage_type: row.usage_type,
            expires_at: row.expires_at,
        };
        keys.insert(fingerprint, key);
    }
    Ok(keys)
}

/// New keys with their fingerprints.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one is in the table already.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[(KeyRow, Fingerprint)]) -> Result<()> {
    sqlx::query!(
        "
        insert into keys (
          id, user_id, title, key, type, public, usage_type, expires_at, fingerprint_sha256, fingerprint
        )
        select
          id, user_id, title, key, type, public, usage_type, expires_at, fingerprint_sha256, gatehouse_key_md5(key)
        from unnest(
          $1::bigint[], $2::bigint[], $3::varchar[], $4::text[], $5::varchar[], $6::boolean[], $7::smallint[],
          $8::timestamptz[], $9::bytea[]
        ) as stated (id, user_id, title, key, type, public, usage_type, expires_at, fingerprint_sha256)
        ",
        &rows.iter().map(|(row, _)| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|(row, _)| row.user_id).collect::<Vec<_>>() as _,
        &rows.iter().map(|(row, _)| row.title.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(row, _)| row.key.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(row, _)| row.kind.clone()).collect::<Vec<_>>() as _,
        &rows.iter().map(|(row, _)| row.public).collect::<Vec<_>>(),
        &rows.iter().map(|(row, _)| row.usage_type).collect::<Vec<_>>(),
        &rows.iter().map(|(row, _)| row.expires_at).collect::<Vec<_>>() as _,
        &rows.iter().map(|(_, fingerprint)| fingerprint.to_vec()).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what may change about keys.
pub async fn update(db: impl PgExecutor<'_>, rows: &[KeyRow]) -> Result<()> {
    sqlx::query!(
        "
        update keys
        set user_id = stated.user_id,
            title = stated.title,
            key = stated.key,
            public = stated.public,
            usage_type = stated.usage_type,
            expires_at = stated.expires_at,
            updated_at = now() at time zone 'utc'
        from unnest(
          $1::bigint[], $2::bigint[], $3::varchar[], $4::text[], $5::boolean[], $6::smallint[], $7::timestamptz[]
        ) as stated (id, user_id, title, key, public, usage_type, expires_at)
        where keys.id = stated.id
        ",
        &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.user_id).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.title.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.key.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.public).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.usage_type).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.expires_at).collect::<Vec<_>>() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes keys.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<()> {
    sqlx::query!("delete from keys where id = any($1)", ids).execute(db).await?;
    Ok(())
}

/// A user's key as it is exported.
#[derive(Debug, Clone)]
pub struct OwnedKey {
    /// Whose it is.
    pub user: i64,
    /// The row.
    pub row: KeyRow,
}

/// The keys of these users, deploy keys left out.
pub async fn list_by_user(db: impl PgExecutor<'_>, users: &[i64]) -> Result<Vec<OwnedKey>> {
    let rows = sqlx::query!(
        r#"
        select
          id, user_id as "user_id!", coalesce(title, '') as "title!", coalesce(key, '') as "key!", type as kind, public,
          usage_type, expires_at
        from keys
        where user_id = any($1)
          and type is null
        order by user_id, id
        "#,
        users
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| OwnedKey {
            user: row.user_id,
            row: KeyRow {
                id: row.id,
                user_id: Some(row.user_id),
                title: row.title,
                key: row.key,
                kind: row.kind,
                public: row.public,
                usage_type: row.usage_type,
                expires_at: row.expires_at,
            },
        })
        .collect())
}

/// That a project uses a deploy key.
#[derive(Debug, Clone)]
pub struct DeployKeyUse {
    /// The project.
    pub project: ProjectId,
    /// Whether the key may push there.
    pub can_push: bool,
    /// The key.
    pub key: KeyRow,
}

/// The deploy keys of these projects.
pub async fn list_deploy_keys(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<DeployKeyUse>> {
    let rows = sqlx::query!(
        r#"
        select
          deploy_keys_projects.project_id, deploy_keys_projects.can_push, keys.id, keys.user_id,
          coalesce(keys.title, '') as "title!", coalesce(keys.key, '') as "key!", keys.type as kind, keys.public,
          keys.usage_type, keys.expires_at
        from deploy_keys_projects
        join keys on keys.id = deploy_keys_projects.deploy_key_id
        where deploy_keys_projects.project_id = any($1)
          and keys.type = 'DeployKey'
        order by deploy_keys_projects.project_id, keys.id
        "#,
        projects
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| DeployKeyUse {
            project: ProjectId(row.project_id),
            can_push: row.can_push,
            key: KeyRow {
                id: row.id,
                user_id: row.user_id,
                title: row.title,
                key: row.key,
                kind: row.kind,
                public: row.public,
                usage_type: row.usage_type,
                expires_at: row.expires_at,
            },
        })
        .collect())
}

/// Lets projects use deploy keys, or changes whether the keys may push.
pub async fn upsert_deploy_key_uses(db: impl PgExecutor<'_>, rows: &[(KeyId, ProjectId, bool)]) -> Result<()> {
    sqlx::query!(
        "
        insert into deploy_keys_projects (deploy_key_id, project_id, can_push)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::boolean[])
        on conflict (deploy_key_id, project_id) do update
        set can_push = excluded.can_push,
            updated_at = now() at time zone 'utc'
        ",
        &rows.iter().map(|(key, _, _)| key.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, project, _)| project.0).collect::<Vec<_>>(),
        &rows.iter().map(|(_, _, can_push)| *can_push).collect::<Vec<_>>()
    )
    .execute(db)
    .await?;
    Ok(())
}
