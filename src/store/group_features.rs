//! Who may use which feature of a group.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::NamespaceId;

/// Writes who may use the wiki of a group.
pub async fn upsert_wiki_level(db: impl PgExecutor<'_>, group: NamespaceId, level: i32) -> Result<()> {
    sqlx::query!(
        "
        insert into group_features (group_id, wiki_access_level)
        values ($1, $2)
        on conflict (group_id) do update
        set wiki_access_level = excluded.wiki_access_level,
            updated_at = now()
        ",
        group.0,
        level
    )
    .execute(db)
    .await?;
    Ok(())
}
