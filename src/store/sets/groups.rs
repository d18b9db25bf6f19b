//! Groups and their settings.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::{changes, with_ids};
use crate::domain::ids::NamespaceId;
use crate::store::Result;
use crate::store::namespaces::{GroupRow, GroupSettingsRow};

/// A group with its full path and its settings.
#[derive(Debug, Clone)]
pub struct GroupRecord {
    /// The row.
    pub row: GroupRow,
    /// The full path.
    pub path: String,
    /// The settings; the defaults where it has none.
    pub settings: GroupSettingsRow,
}

/// The groups of these ids.
pub async fn list(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<NamespaceId, GroupRecord>> {
    let rows = sqlx::query!(
        r#"
        select
          namespaces.id as "id!",
          namespaces.name as "name!",
          namespaces.path as "path!",
          namespaces.parent_id,
          namespaces.description as "description!",
          namespaces.visibility_level as "visibility_level!",
          coalesce(namespaces.share_with_group_lock, false) as "share_with_group_lock!",
          coalesce(namespaces.membership_lock, false) as "membership_lock!",
          namespaces.lfs_enabled,
          namespaces.project_creation_level,
          namespaces.subgroup_creation_level,
          namespaces.require_two_factor_authentication as "require_two_factor_authentication!",
          namespaces.max_personal_access_token_lifetime,
          namespaces.default_branch_protection,
          namespaces.repository_size_limit,
          namespaces.shared_runners_minutes_limit,
          coalesce(routes.path, '') as "full_path!",
          coalesce(settings.enabled_git_access_protocol, 0::smallint) as "enabled_git_access_protocol!",
          coalesce(settings.enforce_ssh_certificates, false) as "enforce_ssh_certificates!",
          coalesce(settings.disable_personal_access_tokens, false) as "disable_personal_access_tokens!",
          coalesce(settings.repository_read_only, false) as "repository_read_only!",
          coalesce(settings.archived, false) as "archived!",
          settings.default_branch_name as "default_branch_name?"
        from namespaces
        left join routes on routes.source_type = 'Namespace' and routes.source_id = namespaces.id
        left join namespace_settings as settings on settings.namespace_id = namespaces.id
        where namespaces.id = any($1)
          and namespaces.type = 'Group'
        "#,
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let record = GroupRecord {
                path: row.full_path,
                row: GroupRow {
                    name: row.name,
                    path: row.path,
                    parent_id: row.parent_id,
                    description: row.description,
                    visibility_level: row.visibility_level,
                    share_with_group_lock: row.share_with_group_lock,
                    membership_lock: row.membership_lock,
                    lfs_enabled: row.lfs_enabled,
                    project_creation_level: row.project_creation_level,
                    subgroup_creation_level: row.subgroup_creation_level,
                    require_two_factor_authentication: row.require_two_factor_authentication,
                    max_personal_access_token_lifetime: row.max_personal_access_token_lifetime,
                    default_branch_protection: row.default_branch_protection,
                    repository_size_limit: row.repository_size_limit,
                    shared_runners_minutes_limit: row.shared_runners_minutes_limit,
                },
                settings: GroupSettingsRow {
                    enabled_git_access_protocol: row.enabled_git_access_protocol,
                    enforce_ssh_certificates: row.enforce_ssh_certificates,
                    disable_personal_access_tokens: row.disable_personal_access_tokens,
                    repository_read_only: row.repository_read_only,
                    archived: row.archived,
                    default_branch_name: row.default_branch_name,
                },
            };
            (NamespaceId(row.id), record)
        })
        .collect())
}

/// Which of these ids are namespaces', of whatever type.
pub async fn list_ids(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!("select id from namespaces where id = any($1)", ids).fetch_all(db).await?)
}

/// How visible these namespaces are, those of users left out.
pub async fn list_visibilities(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<HashMap<NamespaceId, i32>> {
    let rows = sqlx::query!("select id, visibility_level from namespaces where id = any($1) and type = 'Group'", ids);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (NamespaceId(row.id), row.visibility_level)).collect())
}

/// New groups, parents before what is in them. Their derived rows are the caller's to refresh.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a group of the same parent has the name.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[(i64, GroupRow)]) -> Result<()> {
    sqlx::query!(
        "
        insert into namespaces (
          id, type, name, path, parent_id, description, visibility_level, share_with_group_lock, membership_lock,
          lfs_enabled, project_creation_level, subgroup_creation_level, require_two_factor_authentication,
          max_personal_access_token_lifetime, default_branch_protection, repository_size_limit,
          shared_runners_minutes_limit
        )
        select
          id, 'Group', name, path, parent_id, description, visibility_level, share_with_group_lock, membership_lock,
          lfs_enabled, project_creation_level, subgroup_creation_level, require_two_factor_authentication,
          max_personal_access_token_lifetime, default_branch_protection, repository_size_limit,
          shared_runners_minutes_limit
        from jsonb_populate_recordset(null::namespaces, $1)
        ",
        Json(with_ids(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes groups' rows, whose names and places stay what they are.
pub async fn update(db: impl PgExecutor<'_>, rows: &[(i64, GroupRow, GroupRow)]) -> Result<()> {
    sqlx::query!(
        "
        update namespaces
        set (
              description, visibility_level, share_with_group_lock, membership_lock, lfs_enabled,
              project_creation_level, subgroup_creation_level, require_two_factor_authentication,
              max_personal_access_token_lifetime, default_branch_protection, repository_size_limit,
              shared_runners_minutes_limit
            ) = (
              select
                merged.description, merged.visibility_level, merged.share_with_group_lock,
                merged.membership_lock, merged.lfs_enabled, merged.project_creation_level,
                merged.subgroup_creation_level, merged.require_two_factor_authentication,
                merged.max_personal_access_token_lifetime, merged.default_branch_protection,
                merged.repository_size_limit, merged.shared_runners_minutes_limit
              from jsonb_populate_record(namespaces, stated.changes) as merged
            ),
            updated_at = now() at time zone 'utc'
        from jsonb_to_recordset($1) as stated (id bigint, changes jsonb)
        where namespaces.id = stated.id
        ",
        Json(changes(rows)) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

#[derive(Debug, Serialize)]
struct SettingsOfGroup<'a> {
    namespace_id: i64,
    #[serde(flatten)]
    row: &'a GroupSettingsRow,
}

/// Writes groups' settings.
pub async fn upsert_settings(db: impl PgExecutor<'_>, rows: &[(i64, GroupSettingsRow)]) -> Result<()> {
    let rows: Vec<_> = rows.iter().map(|(id, row)| SettingsOfGroup { namespace_id: *id, row }).collect();
    sqlx::query!(
        "
        insert into namespace_settings (
          namespace_id, enabled_git_access_protocol, enforce_ssh_certificates, disable_personal_access_tokens,
          repository_read_only, archived, default_branch_name
        )
        select
          namespace_id, enabled_git_access_protocol, enforce_ssh_certificates, disable_personal_access_tokens,
          repository_read_only, archived, default_branch_name
        from jsonb_populate_recordset(null::namespace_settings, $1)
        on conflict (namespace_id) do update
        set enabled_git_access_protocol = excluded.enabled_git_access_protocol,
            enforce_ssh_certificates = excluded.enforce_ssh_certificates,
            disable_personal_access_tokens = excluded.disable_personal_access_tokens,
            repository_read_only = excluded.repository_read_only,
            archived = excluded.archived,
            default_branch_name = excluded.default_branch_name,
            updated_at = now()
        ",
        Json(rows) as _
    )
    .execute(db)
    .await?;
    Ok(())
}
