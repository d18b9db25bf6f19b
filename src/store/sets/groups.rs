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
          namespaces.extra_shared_runners_minutes_limit,
          namespaces.two_factor_grace_period as "two_factor_grace_period!",
          namespaces.request_access_enabled as "request_access_enabled!",
          namespaces.auto_devops_enabled,
          namespaces.mentions_disabled,
          namespaces.shared_runners_enabled as "shared_runners_enabled!",
          namespaces.allow_descendants_override_disabled_shared_runners as "allow_descendants_override_disabled_shared_runners!",
          namespaces.max_artifacts_size,
          coalesce(routes.path, '') as "full_path!",
          coalesce(settings.enabled_git_access_protocol, 0::smallint) as "enabled_git_access_protocol!",
          coalesce(settings.enforce_ssh_certificates, false) as "enforce_ssh_certificates!",
          coalesce(settings.disable_personal_access_tokens, false) as "disable_personal_access_tokens!",
          coalesce(settings.repository_read_only, false) as "repository_read_only!",
          coalesce(settings.archived, false) as "archived!",
          coalesce(settings.default_branch_protection_defaults, '{}') as "default_branch_protection_defaults!",
          coalesce(settings.prevent_sharing_groups_outside_hierarchy, false)
            as "prevent_sharing_groups_outside_hierarchy!",
          coalesce(settings.emails_enabled, true) as "emails_enabled!",
          coalesce(settings.show_diff_preview_in_email, true) as "show_diff_preview_in_email!",
          coalesce(settings.only_allow_merge_if_pipeline_succeeds, false)
            as "only_allow_merge_if_pipeline_succeeds!",
          coalesce(settings.allow_merge_on_skipped_pipeline, false) as "allow_merge_on_skipped_pipeline!",
          coalesce(settings.only_allow_merge_if_all_discussions_are_resolved, false)
            as "only_allow_merge_if_all_discussions_are_resolved!",
          coalesce(settings.math_rendering_limits_enabled, true) as "math_rendering_limits_enabled!",
          coalesce(settings.lock_math_rendering_limits_enabled, false) as "lock_math_rendering_limits_enabled!",
          coalesce(settings.prevent_forking_outside_group, false) as "prevent_forking_outside_group!",
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
                    extra_shared_runners_minutes_limit: row.extra_shared_runners_minutes_limit,
                    two_factor_grace_period: row.two_factor_grace_period,
                    request_access_enabled: row.request_access_enabled,
                    auto_devops_enabled: row.auto_devops_enabled,
                    mentions_disabled: row.mentions_disabled,
                    shared_runners_enabled: row.shared_runners_enabled,
                    allow_descendants_override_disabled_shared_runners: row
                        .allow_descendants_override_disabled_shared_runners,
                    max_artifacts_size: row.max_artifacts_size,
                },
                settings: GroupSettingsRow {
                    enabled_git_access_protocol: row.enabled_git_access_protocol,
                    enforce_ssh_certificates: row.enforce_ssh_certificates,
                    disable_personal_access_tokens: row.disable_personal_access_tokens,
                    repository_read_only: row.repository_read_only,
                    archived: row.archived,
                    default_branch_name: row.default_branch_name,
                    default_branch_protection_defaults: row.default_branch_protection_defaults,
                    prevent_sharing_groups_outside_hierarchy: row.prevent_sharing_groups_outside_hierarchy,
                    emails_enabled: row.emails_enabled,
                    show_diff_preview_in_email: row.show_diff_preview_in_email,
                    only_allow_merge_if_pipeline_succeeds: row.only_allow_merge_if_pipeline_succeeds,
                    allow_merge_on_skipped_pipeline: row.allow_merge_on_skipped_pipeline,
                    only_allow_merge_if_all_discussions_are_resolved: row
                        .only_allow_merge_if_all_discussions_are_resolved,
                    math_rendering_limits_enabled: row.math_rendering_limits_enabled,
                    lock_math_rendering_limits_enabled: row.lock_math_rendering_limits_enabled,
                    prevent_forking_outside_group: row.prevent_forking_outside_group,
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
          shared_runners_minutes_limit, extra_shared_runners_minutes_limit, two_factor_grace_period,
          request_access_enabled, auto_devops_enabled, mentions_disabled, shared_runners_enabled,
          allow_descendants_override_disabled_shared_runners, max_artifacts_size
        )
        select
          id, 'Group', name, path, parent_id, description, visibility_level, share_with_group_lock, membership_lock,
          lfs_enabled, project_creation_level, subgroup_creation_level, require_two_factor_authentication,
          max_personal_access_token_lifetime, default_branch_protection, repository_size_limit,
          shared_runners_minutes_limit, extra_shared_runners_minutes_limit, two_factor_grace_period,
          request_access_enabled, auto_devops_enabled, mentions_disabled, shared_runners_enabled,
          allow_descendants_override_disabled_shared_runners, max_artifacts_size
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
              shared_runners_minutes_limit, extra_shared_runners_minutes_limit, two_factor_grace_period,
              request_access_enabled, auto_devops_enabled, mentions_disabled, shared_runners_enabled,
              allow_descendants_override_disabled_shared_runners, max_artifacts_size
            ) = (
              select
                merged.description, merged.visibility_level, merged.share_with_group_lock,
                merged.membership_lock, merged.lfs_enabled, merged.project_creation_level,
                merged.subgroup_creation_level, merged.require_two_factor_authentication,
                merged.max_personal_access_token_lifetime, merged.default_branch_protection,
                merged.repository_size_limit, merged.shared_runners_minutes_limit,
                merged.extra_shared_runners_minutes_limit, merged.two_factor_grace_period,
                merged.request_access_enabled, merged.auto_devops_enabled, merged.mentions_disabled,
                merged.shared_runners_enabled, merged.allow_descendants_override_disabled_shared_runners,
                merged.max_artifacts_size
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
          repository_read_only, archived, default_branch_name, default_branch_protection_defaults,
          prevent_sharing_groups_outside_hierarchy, emails_enabled, show_diff_preview_in_email,
          only_allow_merge_if_pipeline_succeeds, allow_merge_on_skipped_pipeline,
          only_allow_merge_if_all_discussions_are_resolved, math_rendering_limits_enabled,
          lock_math_rendering_limits_enabled, prevent_forking_outside_group
        )
        select
          namespace_id, enabled_git_access_protocol, enforce_ssh_certificates, disable_personal_access_tokens,
          repository_read_only, archived, default_branch_name, default_branch_protection_defaults,
          prevent_sharing_groups_outside_hierarchy, emails_enabled, show_diff_preview_in_email,
          only_allow_merge_if_pipeline_succeeds, allow_merge_on_skipped_pipeline,
          only_allow_merge_if_all_discussions_are_resolved, math_rendering_limits_enabled,
          lock_math_rendering_limits_enabled, prevent_forking_outside_group
        from jsonb_populate_recordset(null::namespace_settings, $1)
        on conflict (namespace_id) do update
        set enabled_git_access_protocol = excluded.enabled_git_access_protocol,
            enforce_ssh_certificates = excluded.enforce_ssh_certificates,
            disable_personal_access_tokens = excluded.disable_personal_access_tokens,
            repository_read_only = excluded.repository_read_only,
            archived = excluded.archived,
            default_branch_name = excluded.default_branch_name,
            default_branch_protection_defaults = excluded.default_branch_protection_defaults,
            prevent_sharing_groups_outside_hierarchy = excluded.prevent_sharing_groups_outside_hierarchy,
            emails_enabled = excluded.emails_enabled,
            show_diff_preview_in_email = excluded.show_diff_preview_in_email,
            only_allow_merge_if_pipeline_succeeds = excluded.only_allow_merge_if_pipeline_succeeds,
            allow_merge_on_skipped_pipeline = excluded.allow_merge_on_skipped_pipeline,
            only_allow_merge_if_all_discussions_are_resolved
              = excluded.only_allow_merge_if_all_discussions_are_resolved,
            math_rendering_limits_enabled = excluded.math_rendering_limits_enabled,
            lock_math_rendering_limits_enabled = excluded.lock_math_rendering_limits_enabled,
            prevent_forking_outside_group = excluded.prevent_forking_outside_group,
            updated_at = now()
        ",
        Json(rows) as _
    )
    .execute(db)
    .await?;
    Ok(())
}
