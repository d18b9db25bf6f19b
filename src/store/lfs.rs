//! What LFS tokens need to know of projects and of those who bear the tokens.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{KeyId, ProjectId, UserId};

/// Whether the project offers LFS: what it says itself, or else the nearest group above it that says something.
pub async fn is_enabled(db: impl PgExecutor<'_>, project: ProjectId) -> Result<bool> {
    let enabled = sqlx::query_scalar!(
        r#"
        select coalesce(
          projects.lfs_enabled,
          (
            select above.lfs_enabled
            from namespaces as above
            where above.id = any (namespaces.traversal_ids)
              and above.lfs_enabled is not null
            order by cardinality(above.traversal_ids) desc
            limit 1
          ),
          true
        ) as "enabled!"
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        where projects.id = $1
        "#,
        project.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(enabled.unwrap_or_default())
}

/// The end of the user's password hash, which changes with the password and so revokes tokens; empty without a
/// password.
pub async fn find_password_tail(db: impl PgExecutor<'_>, user: UserId) -> Result<Option<Vec<u8>>> {
    let tail =
        sqlx::query_scalar!(r#"select right(encrypted_password, 16) as "tail!" from users where id = $1"#, user.0,)
            .fetch_optional(db)
            .await?;
    Ok(tail.map(String::into_bytes))
}

/// The key's fingerprint.
pub async fn find_fingerprint(db: impl PgExecutor<'_>, key: KeyId) -> Result<Option<Vec<u8>>> {
    let fingerprint =
        sqlx::query_scalar!("select fingerprint_sha256 from keys where id = $1", key.0).fetch_optional(db).await?;
    Ok(fingerprint.flatten())
}

/// The user who logs in with this name or primary address.
pub async fn find_login(db: impl PgExecutor<'_>, login: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        "select id
         from users
         where lower(username) = lower($1)
            or lower(email) = lower($1)
         order by lower(username) = lower($1) desc, id
         limit 1",
        login,
    );
    Ok(id.fetch_optional(db).await?.map(UserId))
}
