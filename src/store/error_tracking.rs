//! Error tracking: whether a project takes errors, and the keys that its clients show.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// Whether a project takes errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorTrackingRow {
    /// `project_error_tracking_settings.enabled`
    pub enabled: bool,
    /// `project_error_tracking_settings.integrated`
    pub integrated: bool,
}

/// Whether the project takes errors; nothing where that was never said.
pub async fn find(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<ErrorTrackingRow>> {
    let row = sqlx::query_as!(
        ErrorTrackingRow,
        "select enabled, integrated from project_error_tracking_settings where project_id = $1",
        project.0
    );
    Ok(row.fetch_optional(db).await?)
}

/// Writes whether the project takes errors.
pub async fn upsert(db: impl PgExecutor<'_>, project: ProjectId, row: ErrorTrackingRow) -> Result<()> {
    sqlx::query!(
        "
        insert into project_error_tracking_settings (project_id, enabled, integrated)
        values ($1, $2, $3)
        on conflict (project_id) do update
        set enabled = excluded.enabled,
            integrated = excluded.integrated
        ",
        project.0,
        row.enabled,
        row.integrated
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The id of the project's client key, and whether it is active.
pub async fn find_client_key(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    public_key: &str,
) -> Result<Option<(i64, bool)>> {
    let row = sqlx::query!(
        "
        select id, active
        from error_tracking_client_keys
        where project_id = $1
          and public_key = $2
        order by id
        limit 1
        ",
        project.0,
        public_key
    );
    Ok(row.fetch_optional(db).await?.map(|row| (row.id, row.active)))
}

/// A new client key, with the given id or the next one.
pub async fn insert_client_key(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    project: ProjectId,
    public_key: &str,
    active: bool,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into error_tracking_client_keys (id, project_id, public_key, active)
        values (coalesce($1, nextval('error_tracking_client_keys_id_seq')), $2, $3, $4)
        returning id
        ",
        id,
        project.0,
        public_key,
        active
    );
    Ok(id.fetch_one(db).await?)
}

/// Switches a client key on or off.
pub async fn update_client_key(db: impl PgExecutor<'_>, id: i64, active: bool) -> Result<()> {
    sqlx::query!("update error_tracking_client_keys set active = $2, updated_at = now() where id = $1", id, active)
        .execute(db)
        .await?;
    Ok(())
}

/// Removes a client key.
pub async fn delete_client_key(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from error_tracking_client_keys where id = $1", id).execute(db).await?;
    Ok(())
}

/// The token that the error-tracking service shows, as the instance keeps it encrypted.
pub async fn find_access_token(db: impl PgExecutor<'_>) -> Result<Option<String>> {
    let token = sqlx::query_scalar!(
        "select error_tracking_access_token_encrypted
         from application_settings
         order by id desc
         limit 1"
    )
    .fetch_optional(db)
    .await?;
    Ok(token.flatten())
}

/// Keeps the ciphertext of the service's token.
pub async fn update_access_token(db: impl PgExecutor<'_>, ciphertext: &str) -> Result<()> {
    sqlx::query!("update application_settings set error_tracking_access_token_encrypted = $1, updated_at = now() at time zone 'utc'", ciphertext)
        .execute(db)
        .await?;
    Ok(())
}

/// Whether errors of this project are taken from a client with this key; none where there is no such project.
pub async fn find_enabled(db: impl PgExecutor<'_>, project: ProjectId, public_key: &str) -> Result<Option<bool>> {
    let enabled = sqlx::query_scalar!(
        r#"
        select
          coalesce(
            (select error_tracking_enabled from application_settings order by application_settings.id desc limit 1),
            false
          )
          and exists (
            select
            from project_error_tracking_settings
            where project_error_tracking_settings.project_id = projects.id
              and project_error_tracking_settings.enabled
              and project_error_tracking_settings.integrated
          )
          and exists (
            select
            from error_tracking_client_keys
            where error_tracking_client_keys.project_id = projects.id
              and error_tracking_client_keys.public_key = $2
              and error_tracking_client_keys.active
          ) as "enabled!"
        from projects
        where projects.id = $1
          and not projects.hidden
        "#,
        project.0,
        public_key,
    );
    Ok(enabled.fetch_optional(db).await?)
}
