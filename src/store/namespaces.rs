//! Groups, personal namespaces and the paths of both.

use serde::Serialize;
use serde_json::Value;
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

/// What is said of a group. Serialized, its keys are the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "GitLab's columns")]
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
    /// `namespaces.extra_shared_runners_minutes_limit`
    pub extra_shared_runners_minutes_limit: Option<i32>,
    /// `namespaces.two_factor_grace_period`
    pub two_factor_grace_period: i32,
    /// `namespaces.request_access_enabled`
    pub request_access_enabled: bool,
    /// `namespaces.auto_devops_enabled`
    pub auto_devops_enabled: Option<bool>,
    /// `namespaces.mentions_disabled`
    pub mentions_disabled: Option<bool>,
    /// `namespaces.shared_runners_enabled`
    pub shared_runners_enabled: bool,
    /// `namespaces.allow_descendants_override_disabled_shared_runners`
    pub allow_descendants_override_disabled_shared_runners: bool,
    /// `namespaces.max_artifacts_size`
    pub max_artifacts_size: Option<i32>,
}

impl Default for GroupRow {
    /// A group of which nothing was said.
    fn default() -> Self {
        Self {
            name: String::new(),
            path: String::new(),
            parent_id: None,
            description: String::new(),
            visibility_level: 0,
            share_with_group_lock: false,
            membership_lock: false,
            lfs_enabled: None,
            project_creation_level: None,
            subgroup_creation_level: Some(1),
            require_two_factor_authentication: false,
            max_personal_access_token_lifetime: None,
            default_branch_protection: None,
            repository_size_limit: None,
            shared_runners_minutes_limit: None,
            extra_shared_runners_minutes_limit: None,
            two_factor_grace_period: 48,
            request_access_enabled: true,
            auto_devops_enabled: None,
            mentions_disabled: None,
            shared_runners_enabled: true,
            allow_descendants_override_disabled_shared_runners: false,
            max_artifacts_size: None,
        }
    }
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

/// Removes groups that have no projects. Groups below them must be among them.
///
/// # Errors
/// Where the database gives no answer, or something else is in a group.
pub async fn delete_groups(conn: &mut PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "delete from push_rules where id in (select push_rule_id from namespaces where namespaces.id = any($1))",
        ids
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("delete from group_wiki_repositories where group_id = any($1)", ids).execute(&mut *conn).await?;
    sqlx::query!("delete from namespaces where id = any($1) and type = 'Group'", ids).execute(&mut *conn).await?;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// How new default branches are protected, spelt out; an empty object where nothing was said.
    pub default_branch_protection_defaults: Value,
    /// Groups below this root are shared within it alone.
    pub prevent_sharing_groups_outside_hierarchy: bool,
    /// Kept: mail.
    pub emails_enabled: bool,
    /// Kept: mail.
    pub show_diff_preview_in_email: bool,
    /// Kept: merge requests.
    pub only_allow_merge_if_pipeline_succeeds: bool,
    /// Kept: merge requests.
    pub allow_merge_on_skipped_pipeline: bool,
    /// Kept: merge requests.
    pub only_allow_merge_if_all_discussions_are_resolved: bool,
    /// Kept: pages of the web application.
    pub math_rendering_limits_enabled: bool,
    /// Kept: pages of the web application.
    pub lock_math_rendering_limits_enabled: bool,
    /// Kept: forks.
    pub prevent_forking_outside_group: bool,
}

impl Default for GroupSettingsRow {
    fn default() -> Self {
        Self {
            enabled_git_access_protocol: 0,
            enforce_ssh_certificates: false,
            disable_personal_access_tokens: false,
            repository_read_only: false,
            archived: false,
            default_branch_name: None,
            default_branch_protection_defaults: Value::Object(serde_json::Map::new()),
            prevent_sharing_groups_outside_hierarchy: false,
            emails_enabled: true,
            show_diff_preview_in_email: true,
            only_allow_merge_if_pipeline_succeeds: false,
            allow_merge_on_skipped_pipeline: false,
            only_allow_merge_if_all_discussions_are_resolved: false,
            math_rendering_limits_enabled: true,
            lock_math_rendering_limits_enabled: false,
            prevent_forking_outside_group: false,
        }
    }
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

/// Whether something has the path, whatever its letter case.
pub async fn is_path_taken(db: impl PgExecutor<'_>, path: &str) -> Result<bool> {
    let taken =
        sqlx::query_scalar!(r#"select exists (select from routes where lower(path) = lower($1)) as "taken!""#, path);
    Ok(taken.fetch_one(db).await?)
}

/// Whether another namespace of the type, of the same parent, has the name.
pub async fn is_name_taken(
    db: impl PgExecutor<'_>,
    kind: &str,
    parent: NamespaceId,
    name: &str,
    own: Option<NamespaceId>,
) -> Result<bool> {
    let taken = sqlx::query_scalar!(
        r#"
        select exists (
          select
          from namespaces
          where parent_id = $1
            and name = $2
            and type = $3
            and id is distinct from $4
        ) as "taken!"
        "#,
        parent.0,
        name,
        kind,
        own.map(|id| id.0)
    );
    Ok(taken.fetch_one(db).await?)
}

/// What in a group more people could see than the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WiderInside {
    /// Projects directly in it.
    pub projects: bool,
    /// Groups directly in it.
    pub groups: bool,
}

/// What directly in a group more people see than this visibility allows.
pub async fn find_wider_inside(db: impl PgExecutor<'_>, group: NamespaceId, level: i32) -> Result<WiderInside> {
    let wider = sqlx::query_as!(
        WiderInside,
        r#"
        select
          coalesce(bool_or(type = 'Project'), false) as "projects!",
          coalesce(bool_or(type = 'Group'), false) as "groups!"
        from namespaces
        where parent_id = $1
          and visibility_level > $2
        "#,
        group.0,
        level
    );
    Ok(wider.fetch_one(db).await?)
}

/// How many levels of groups there are below a group.
pub async fn find_depth_below(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<usize> {
    let depth = sqlx::query_scalar!(
        r#"
        select coalesce(max(cardinality(below.traversal_ids) - cardinality(own.traversal_ids)), 0) as "depth!"
        from namespaces as own
        join namespaces as below on below.traversal_ids @> array[own.id] and below.type = 'Group'
        where own.id = $1
        "#,
        group.0
    );
    Ok(usize::try_from(depth.fetch_one(db).await?).unwrap_or_default())
}

/// The personal namespace of a user.
pub async fn find_personal(db: impl PgExecutor<'_>, user: UserId) -> Result<Option<NamespaceId>> {
    let id = sqlx::query_scalar!(
        "select id from namespaces where owner_id = $1 and type = 'User' order by id limit 1",
        user.0
    );
    Ok(id.fetch_optional(db).await?.map(NamespaceId))
}

/// How many characters the longest path below a group has beyond that of the group.
pub async fn find_longest_below(db: impl PgExecutor<'_>, group: NamespaceId) -> Result<usize> {
    let longest = sqlx::query_scalar!(
        r#"
        select coalesce(max(char_length(below.path)) - max(char_length(own.path)), 0) as "longest!"
        from routes as own
        join namespaces on namespaces.traversal_ids @> array[own.source_id]
        join routes as below on below.namespace_id = namespaces.id
        where own.source_type = 'Namespace'
          and own.source_id = $1
        "#,
        group.0
    );
    Ok(usize::try_from(longest.fetch_one(db).await?).unwrap_or_default())
}
