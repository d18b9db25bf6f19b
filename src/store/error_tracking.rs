//! Error tracking: whether a project takes errors, and the keys that its clients show.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;

/// The token that the error-tracking service shows, as the instance keeps it encrypted.
///
/// # Errors
/// Where the database does not answer.
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

/// Whether errors of this project are taken from a client with this key; none where there is no such project.
///
/// # Errors
/// Where the database does not answer.
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
        "#,
        project.0,
        public_key,
    );
    Ok(enabled.fetch_optional(db).await?)
}
