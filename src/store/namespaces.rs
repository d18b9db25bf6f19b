//! Groups, personal namespaces and the paths of both.

use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::ids::{NamespaceId, ProjectId, UserId};

/// Who has a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathOwner {
    /// A group.
    Group(NamespaceId),
    /// A user's personal namespace.
    Personal(NamespaceId),
    /// A project.
    Project(ProjectId),
}

/// The full path of a namespace.
pub async fn find_path(db: impl PgExecutor<'_>, id: NamespaceId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar!("select path from routes where namespace_id = $1", id.0).fetch_optional(db).await?)
}

/// What an operator states about a group. Serialized, its keys are the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GroupRow {
    /// `namespaces.name`
    pub name: String,
    /// `namespaces.path`, the last part
    pub path: String,
    /// `namespaces.parent_id`
    pub parent_id: Option<i64>,
    /// `namespaces.description`
    pub description: String,
    /// `namespaces.visibility_level`
    pub visibility_level: i32,
    /// `namespaces.share_with_group_lock`
    pub share_with_group_lock: bool,
    /// `namespaces.membership_lock`
    pub membership_lock: bool,
    /// `namespaces.lfs_enabled`
    pub lfs_enabled: Option<bool>,
    /// `namespaces.project_creation_level`
    pub project_creation_level: Option<i32>,
    /// `namespaces.subgroup_creation_level`
    pub subgroup_creation_level: Option<i32>,
    /// `namespaces.require_two_factor_authentication`
    pub require_two_factor_authentication: bool,
    /// `namespaces.max_personal_access_token_lifetime`
    pub max_personal_access_token_lifetime: Option<i32>,
    /// `namespaces.default_branch_protection`
    pub default_branch_protection: Option<i16>,
    /// `namespaces.repository_size_limit`
    pub repository_size_limit: Option<i64>,
    /// `namespaces.shared_runners_minutes_limit`
    pub shared_runners_minutes_limit: Option<i32>,
}

/// Writes the group's name and place. Its derived rows are the caller's to refresh.
///
/// # Errors
/// [`super::Error::Duplicate`] where a group of the same parent has the name.
pub async fn move_group(db: impl PgExecutor<'_>, id: NamespaceId, row: &GroupRow) -> Result<()> {
    sqlx::query!(
        "
        update namespaces
        set name = $2,
            path = $3,
            parent_id = $4,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id.0,
        row.name,
        row.path,
        row.parent_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a group that has neither projects nor subgroups.
///
/// # Errors
/// Where the database gives no answer, or the group has some.
pub async fn delete_group(conn: &mut PgConnection, id: NamespaceId) -> Result<()> {
    sqlx::query!("delete from push_rules where id = (select push_rule_id from namespaces where id = $1)", id.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!("delete from namespaces where id = $1 and type = 'Group'", id.0).execute(&mut *conn).await?;
    Ok(())
}

/// How many projects and subgroups live directly in a namespace.
pub async fn count_children(db: impl PgExecutor<'_>, id: NamespaceId) -> Result<i64> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from namespaces where parent_id = $1"#, id.0);
    Ok(count.fetch_one(db).await?)
}

/// Whether `inner` is `outer` or lies below it.
pub async fn is_within(db: impl PgExecutor<'_>, inner: NamespaceId, outer: NamespaceId) -> Result<bool> {
    let within = sqlx::query_scalar!(
        r#"select $2 = any (traversal_ids) as "within!" from namespaces where id = $1"#,
        inner.0,
        outer.0
    );
    Ok(within.fetch_optional(db).await?.unwrap_or(false))
}

/// A namespace that can be seen by more people than the one around it, which is a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooVisible {
    /// The namespace, of a project its project namespace.
    pub id: NamespaceId,
    /// The group around it.
    pub parent_id: NamespaceId,
    /// The widest that is possible.
    pub widest: i32,
}

/// Which of these namespaces, and of those directly in them, can be seen by more people than the group around them.
pub async fn list_too_visible(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<TooVisible>> {
    let rows = sqlx::query!(
        "
        select child.id, parent.id as parent_id, parent.visibility_level as widest
        from namespaces as child
        join namespaces as parent on parent.id = child.parent_id
        where (child.id = any($1) or child.parent_id = any($1))
          and parent.type = 'Group'
          and child.visibility_level > parent.visibility_level
        order by child.id
        ",
        ids
    )
    .fetch_all(db)
    .await?;
    let row = |id, parent_id, widest| TooVisible { id: NamespaceId(id), parent_id: NamespaceId(parent_id), widest };
    Ok(rows.into_iter().map(|found| row(found.id, found.parent_id, found.widest)).collect())
}

/// A user's personal namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalRow {
    /// `namespaces.id`
    pub id: NamespaceId,
    /// `namespaces.path`, the username
    pub path: String,
    /// `namespaces.name`, the user's name
    pub name: String,
}

/// A personal namespace for the user. Its derived rows are the caller's to refresh.
pub async fn insert_personal(db: impl PgExecutor<'_>, user: UserId, username: &str, name: &str) -> Result<NamespaceId> {
    let id = sqlx::query_scalar!(
        "
        insert into namespaces (type, owner_id, path, name)
        values ('User', $1, $2, $3)
        returning id
        ",
        user.0,
        username,
        name
    );
    Ok(NamespaceId(id.fetch_one(db).await?))
}

/// Names the personal namespace as its user. Its derived rows are the caller's to refresh.
pub async fn update_personal(db: impl PgExecutor<'_>, id: NamespaceId, username: &str, name: &str) -> Result<()> {
    sqlx::query!(
        "
        update namespaces
        set path = $2,
            name = $3,
            updated_at = now() at time zone 'utc'
        where id = $1
        ",
        id.0,
        username,
        name
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What `namespace_settings` holds for a group. Serialized, its keys are the columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
pub struct GroupSettingsRow {
    /// 0 all, 1 ssh, 2 http
    pub enabled_git_access_protocol: i16,
    /// Keys that no authority of the group signed are refused.
    pub enforce_ssh_certificates: bool,
    /// Tokens of the group's own users are refused.
    pub disable_personal_access_tokens: bool,
    /// Nobody pushes.
    pub repository_read_only: bool,
    /// The group and all in it are archived.
    pub archived: bool,
    /// Of new projects.
    pub default_branch_name: Option<String>,
}

/// The address ranges from which a group may be used, in order.
pub async fn list_ip_ranges(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<Vec<String>> {
    let ranges = sqlx::query_scalar!("select range from ip_restrictions where group_id = $1 order by range", group.0);
    Ok(ranges.fetch_all(db).await?)
}

/// Makes these the address ranges from which a group may be used.
pub async fn replace_ip_ranges(conn: &mut PgConnection, group: NamespaceId, ranges: &[String]) -> Result<()> {
    sqlx::query!("delete from ip_restrictions where group_id = $1", group.0).execute(&mut *conn).await?;
    sqlx::query!("insert into ip_restrictions (group_id, range) select $1, unnest($2::varchar[])", group.0, ranges)
        .execute(&mut *conn)
        .await?;
    Ok(())
}

/// The domains of which new members may have addresses, in lower case.
pub async fn list_email_domains(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<Vec<String>> {
    let domains = sqlx::query_scalar!(
        r#"select lower(domain) as "domain!" from allowed_email_domains where group_id = $1"#,
        group.0
    );
    Ok(domains.fetch_all(db).await?)
}

/// Makes these the domains of which new members may have addresses.
pub async fn replace_email_domains(conn: &mut PgConnection, group: NamespaceId, domains: &[String]) -> Result<()> {
    sqlx::query!("delete from allowed_email_domains where group_id = $1", group.0).execute(&mut *conn).await?;
    sqlx::query!(
        "insert into allowed_email_domains (group_id, domain) select $1, unnest($2::varchar[])",
        group.0,
        domains
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// A group's SAML provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlRow {
    /// `saml_providers.enabled`
    pub enabled: bool,
    /// `saml_providers.sso_url`
    pub sso_url: String,
    /// `saml_providers.certificate_fingerprint`
    pub certificate_fingerprint: String,
    /// `saml_providers.enforced_sso`
    pub enforced_sso: bool,
    /// `saml_providers.git_check_enforced`
    pub git_check_enforced: bool,
    /// `saml_providers.default_membership_role`
    pub default_membership_role: i16,
}

/// The group's SAML provider and its id.
pub async fn find_saml_provider(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<Option<(i64, SamlRow)>> {
    let row = sqlx::query!(
        "
        select
          id, enabled, sso_url, certificate_fingerprint, enforced_sso, git_check_enforced, default_membership_role
        from saml_providers
        where group_id = $1
        order by id
        limit 1
        ",
        group.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        let saml = SamlRow {
            enabled: row.enabled,
            sso_url: row.sso_url,
            certificate_fingerprint: row.certificate_fingerprint,
            enforced_sso: row.enforced_sso,
            git_check_enforced: row.git_check_enforced,
            default_membership_role: row.default_membership_role,
        };
        (row.id, saml)
    }))
}

/// A SAML provider for the group.
pub async fn insert_saml_provider(db: impl PgExecutor<'_>, group: NamespaceId, row: &SamlRow) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into saml_providers (
          group_id, enabled, sso_url, certificate_fingerprint, enforced_sso, git_check_enforced, default_membership_role
        )
        values ($1, $2, $3, $4, $5, $6, $7)
        returning id
        ",
        group.0,
        row.enabled,
        row.sso_url,
        row.certificate_fingerprint,
        row.enforced_sso,
        row.git_check_enforced,
        row.default_membership_role
    );
    Ok(id.fetch_one(db).await?)
}

/// Writes a SAML provider.
pub async fn update_saml_provider(db: impl PgExecutor<'_>, id: i64, row: &SamlRow) -> Result<()> {
    sqlx::query!(
        "
        update saml_providers
        set enabled = $2,
            sso_url = $3,
            certificate_fingerprint = $4,
            enforced_sso = $5,
            git_check_enforced = $6,
            default_membership_role = $7
        where id = $1
        ",
        id,
        row.enabled,
        row.sso_url,
        row.certificate_fingerprint,
        row.enforced_sso,
        row.git_check_enforced,
        row.default_membership_role
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes a SAML provider and the identities that users have there.
pub async fn delete_saml_provider(db: impl PgExecutor<'_>, id: i64) -> Result<()> {
    sqlx::query!("delete from saml_providers where id = $1", id).execute(db).await?;
    Ok(())
}

/// The namespaces of the projects that live directly in a group.
pub async fn list_project_namespaces(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<Vec<NamespaceId>> {
    let ids = sqlx::query_scalar!("select project_namespace_id from projects where namespace_id = $1", group.0);
    Ok(ids.fetch_all(db).await?.into_iter().map(NamespaceId).collect())
}
