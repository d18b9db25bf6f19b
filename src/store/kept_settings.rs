//! Settings of projects that are kept for clients to read back, and have no effect.

use serde_json::{Map, Value};
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use crate::domain::ids::ProjectId;

/// Keeps what is said of a project's settings; null is the default.
pub async fn update(db: impl PgExecutor<'_>, project: ProjectId, stated: &Map<String, Value>) -> Result<()> {
    sqlx::query!(
        "
        update projects
        set kept_settings = jsonb_strip_nulls(kept_settings || $2::jsonb),
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        project.0,
        Json(stated) as _
    )
    .execute(db)
    .await?;
    Ok(())
}
