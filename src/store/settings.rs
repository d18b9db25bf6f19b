//! The settings of the instance.

use chrono::TimeDelta;
use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;

use super::Result;
use crate::domain::access::KeyLimit;
use crate::domain::key_policy::KeyPolicy;
use crate::domain::ssh_key::KeyKind;

/// What an operator states about the instance. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names of the columns say it, and the migration what they mean")]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct SettingsRow {
    pub enabled_git_access_protocol: Option<String>,
    pub receive_max_input_size: Option<i32>,
    pub gitlab_shell_operation_limit: Option<i32>,
    pub custom_http_clone_url_root: Option<String>,
    pub push_event_hooks_limit: i32,
    pub push_event_activities_limit: i32,
    pub rsa_key_restriction: i32,
    pub dsa_key_restriction: i32,
    pub ecdsa_key_restriction: i32,
    pub ed25519_key_restriction: i32,
    pub ecdsa_sk_key_restriction: i32,
    pub ed25519_sk_key_restriction: i32,
    pub max_ssh_key_lifetime: Option<i32>,
    pub max_personal_access_token_lifetime: Option<i32>,
    pub require_personal_access_token_expiry: bool,
    pub disable_personal_access_tokens: bool,
    pub password_authentication_enabled_for_git: bool,
    pub personal_access_token_prefix: Option<String>,
    pub admin_mode: bool,
    pub enforce_terms: bool,
    pub git_two_factor_session_expiry: i32,
    pub maintenance_mode: bool,
    pub silent_mode_enabled: bool,
    pub default_branch_name: Option<String>,
    pub default_branch_protection: i32,
    pub default_branch_protection_defaults: serde_json::Value,
    pub repository_size_limit: i64,
    pub globally_allowed_ips: String,
    pub error_tracking_enabled: bool,
    pub allow_local_requests_from_web_hooks_and_services: bool,
    pub allow_local_requests_from_system_hooks: bool,
    pub default_project_visibility: i32,
    pub deletion_adjourned_period: i32,
}

/// The settings of the instance: of several rows the newest.
///
/// # Errors
/// Where the database gives no answer, or there is no row.
pub async fn find(db: impl PgExecutor<'_>) -> Result<SettingsRow> {
    let row = sqlx::query_as!(
        SettingsRow,
        r#"
        select
          enabled_git_access_protocol,
          receive_max_input_size,
          gitlab_shell_operation_limit,
          custom_http_clone_url_root,
          push_event_hooks_limit,
          push_event_activities_limit,
          rsa_key_restriction,
          dsa_key_restriction,
          ecdsa_key_restriction,
          ed25519_key_restriction,
          ecdsa_sk_key_restriction,
          ed25519_sk_key_restriction,
          max_ssh_key_lifetime,
          max_personal_access_token_lifetime,
          require_personal_access_token_expiry,
          disable_personal_access_tokens,
          password_authentication_enabled_for_git,
          personal_access_token_prefix,
          admin_mode,
          coalesce(enforce_terms, false) as "enforce_terms!",
          git_two_factor_session_expiry,
          maintenance_mode,
          silent_mode_enabled,
          default_branch_name,
          coalesce(default_branch_protection, 2) as "default_branch_protection!",
          default_branch_protection_defaults,
          coalesce(repository_size_limit, 0) as "repository_size_limit!",
          globally_allowed_ips,
          error_tracking_enabled,
          allow_local_requests_from_web_hooks_and_services,
          allow_local_requests_from_system_hooks,
          default_project_visibility,
          deletion_adjourned_period
        from application_settings
        order by id desc
        limit 1
        "#
    );
    Ok(row.fetch_one(db).await?)
}

/// Writes the settings of the instance.
pub async fn update(db: impl PgExecutor<'_>, row: &SettingsRow) -> Result<()> {
    sqlx::query!(
        "
        update application_settings
        set enabled_git_access_protocol = stated.enabled_git_access_protocol,
            receive_max_input_size = stated.receive_max_input_size,
            gitlab_shell_operation_limit = stated.gitlab_shell_operation_limit,
            custom_http_clone_url_root = stated.custom_http_clone_url_root,
            push_event_hooks_limit = stated.push_event_hooks_limit,
            push_event_activities_limit = stated.push_event_activities_limit,
            rsa_key_restriction = stated.rsa_key_restriction,
            dsa_key_restriction = stated.dsa_key_restriction,
            ecdsa_key_restriction = stated.ecdsa_key_restriction,
            ed25519_key_restriction = stated.ed25519_key_restriction,
            ecdsa_sk_key_restriction = stated.ecdsa_sk_key_restriction,
            ed25519_sk_key_restriction = stated.ed25519_sk_key_restriction,
            max_ssh_key_lifetime = stated.max_ssh_key_lifetime,
            max_personal_access_token_lifetime = stated.max_personal_access_token_lifetime,
            require_personal_access_token_expiry = stated.require_personal_access_token_expiry,
            disable_personal_access_tokens = stated.disable_personal_access_tokens,
            password_authentication_enabled_for_git = stated.password_authentication_enabled_for_git,
            personal_access_token_prefix = stated.personal_access_token_prefix,
            admin_mode = stated.admin_mode,
            enforce_terms = stated.enforce_terms,
            git_two_factor_session_expiry = stated.git_two_factor_session_expiry,
            maintenance_mode = stated.maintenance_mode,
            silent_mode_enabled = stated.silent_mode_enabled,
            default_branch_name = stated.default_branch_name,
            default_branch_protection = stated.default_branch_protection,
            default_branch_protection_defaults = stated.default_branch_protection_defaults,
            repository_size_limit = stated.repository_size_limit,
            globally_allowed_ips = stated.globally_allowed_ips,
            error_tracking_enabled = stated.error_tracking_enabled,
            allow_local_requests_from_web_hooks_and_services = stated.allow_local_requests_from_web_hooks_and_services,
            allow_local_requests_from_system_hooks = stated.allow_local_requests_from_system_hooks,
            default_project_visibility = stated.default_project_visibility,
            deletion_adjourned_period = stated.deletion_adjourned_period,
            updated_at = now() at time zone 'utc'
        -- One JSON text in place of a parameter for each column; the table itself gives the types.
        from jsonb_populate_record(null::application_settings, $1) as stated
        -- The row that all readers take: of several the newest (schema.md 11).
        where application_settings.id = (select max(id) from application_settings)
        ",
        Json(row) as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What clone URLs over HTTP start with, where that is not the address in the settings file.
pub async fn find_http_clone_root(db: impl PgExecutor<'_>) -> Result<Option<String>> {
    let root = sqlx::query_scalar!(
        r#"
        select nullif(rtrim(custom_http_clone_url_root, '/'), '')
        from application_settings
        order by id desc
        limit 1
        "#
    );
    Ok(root.fetch_optional(db).await?.flatten())
}

impl SettingsRow {
    /// Which keys the instance takes.
    #[must_use]
    pub fn key_policy(&self) -> KeyPolicy {
        let restrictions = [
            self.rsa_key_restriction,
            self.dsa_key_restriction,
            self.ecdsa_key_restriction,
            self.ed25519_key_restriction,
            self.ecdsa_sk_key_restriction,
            self.ed25519_sk_key_restriction,
        ];
        KeyPolicy {
            limits: key_limits(&restrictions),
            longest: self.max_ssh_key_lifetime.map(|days| TimeDelta::days(days.into())),
        }
    }
}

/// What columns of restrictions say, in the order of [`KeyKind::ALL`]: 0 is open, a negative number closed.
pub(crate) fn key_limits(restrictions: &[i32]) -> Vec<(KeyKind, KeyLimit)> {
    let limits = KeyKind::ALL.into_iter().zip(restrictions).filter_map(|(kind, restriction)| match *restriction {
        0 => None,
        bits => Some((kind, u32::try_from(bits).map_or(KeyLimit::Forbidden, KeyLimit::AtLeast))),
    });
    limits.collect()
}
