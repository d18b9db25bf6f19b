//! The default branches of projects: what is known of them, and how new ones are protected.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgExecutor;

use super::Result;
use crate::domain::default_branch::{DefaultProtection, USUAL};
use crate::domain::ids::ProjectId;

/// What is known of a project's default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultBranch {
    /// The name that HEAD has.
    pub name: String,
    /// Whether a branch of that name has been pushed.
    pub born: bool,
}

/// The project's default branch; nothing where its repository was never asked and nobody has stated one.
pub async fn find(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<DefaultBranch>> {
    let row = sqlx::query_as!(
        DefaultBranch,
        "select name, born from project_default_branches where project_id = $1",
        project.0
    );
    Ok(row.fetch_optional(db).await?)
}

/// The branch that a new repository of the project is to get: what its groups say, the nearest first, or the instance.
pub async fn find_initial(db: impl PgExecutor<'_>, project: ProjectId) -> Result<String> {
    let name = sqlx::query_scalar!(
        r#"
        select coalesce(
          (
            select above.default_branch_name
            from projects
            join namespaces on namespaces.id = projects.namespace_id
            join namespaces as above_namespaces on above_namespaces.id = any (namespaces.traversal_ids)
            join namespace_settings as above on above.namespace_id = above_namespaces.id
            where projects.id = $1
              and above.default_branch_name <> ''
            order by cardinality(above_namespaces.traversal_ids) desc
            limit 1
          ),
          (select nullif(default_branch_name, '') from application_settings order by id desc limit 1),
          $2
        ) as "name!"
        "#,
        project.0,
        USUAL
    );
    Ok(name.fetch_one(db).await?)
}

/// Keeps what is said of a repository that nobody has pushed to, unless more is known already.
pub async fn insert(db: impl PgExecutor<'_>, project: ProjectId, name: &str, now: DateTime<Utc>) -> Result<bool> {
    let inserted = sqlx::query!(
        "insert into project_default_branches (project_id, name, known_at)
         select id, $2, $3
         from projects
         where id = $1
         on conflict (project_id) do nothing",
        project.0,
        name,
        now
    )
    .execute(db)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Keeps what the repository's HEAD names, as Gitaly said at that time. A later word stands.
pub async fn upsert(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    branch: &DefaultBranch,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into project_default_branches as known (project_id, name, known_at, born)
         select id, $2, $3, $4
         from projects
         where id = $1
         on conflict (project_id) do update
         set name = excluded.name, known_at = excluded.known_at, born = excluded.born
         where known.known_at <= excluded.known_at
           and (known.name, known.born) <> (excluded.name, excluded.born)",
        project.0,
        branch.name,
        at,
        branch.born
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes that a project's first push is in while nobody could say what its default branch is.
pub async fn insert_unsettled(db: impl PgExecutor<'_>, project: ProjectId, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "insert into unsettled_default_branches (project_id, created_at)
         select id, $2
         from projects
         where id = $1
         on conflict (project_id) do nothing",
        project.0,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether such a note was there; it is gone now.
pub async fn take_unsettled(db: impl PgExecutor<'_>, project: ProjectId) -> Result<bool> {
    let taken = sqlx::query!("delete from unsettled_default_branches where project_id = $1", project.0);
    Ok(taken.execute(db).await?.rows_affected() == 1)
}

/// Settles the project's default branch, and true says that nobody did before. Of several first pushes at once, the
/// others wait here for the first.
pub async fn update_settled(
    db: impl PgExecutor<'_>,
    project: ProjectId,
    name: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let settled = sqlx::query!(
        "insert into project_default_branches as known (project_id, name, known_at, born)
         select id, $2, $3, true
         from projects
         where id = $1
         on conflict (project_id) do update
         set name = excluded.name, known_at = greatest(known.known_at, excluded.known_at), born = true
         where not known.born",
        project.0,
        name,
        now
    )
    .execute(db)
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// How new default branches of the project are protected; none where there is no such project.
pub async fn find_protection(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<DefaultProtection>> {
    let row = sqlx::query!(
        r#"
        select
          nullif(namespace_settings.default_branch_protection_defaults, '{}') as "group_defaults?",
          namespaces.default_branch_protection as "group_level?",
          nullif(settings.default_branch_protection_defaults, '{}') as "instance_defaults?",
          settings.default_branch_protection as "instance_level?"
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        left join namespace_settings on namespace_settings.namespace_id = namespaces.id
        left join lateral (
          select default_branch_protection_defaults, default_branch_protection
          from application_settings
          order by id desc
          limit 1
        ) as settings on true
        where projects.id = $1
        "#,
        project.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| {
        protection(row.group_defaults.as_ref(), row.group_level, row.instance_defaults.as_ref(), row.instance_level)
    }))
}

/// The protection in force: the group's word before the instance's, and the newer column before the older one.
#[must_use]
pub fn protection(
    group_defaults: Option<&Value>,
    group_level: Option<i16>,
    instance_defaults: Option<&Value>,
    instance_level: Option<i32>,
) -> DefaultProtection {
    let newer = |defaults: Option<&Value>| defaults.map(spelt_out);
    let older = |level: Option<i32>| level.map(DefaultProtection::from_level);
    newer(group_defaults)
        .or_else(|| older(group_level.map(i32::from)))
        .or_else(|| newer(instance_defaults))
        .or_else(|| older(instance_level))
        .unwrap_or_default()
}

/// `default_branch_protection_defaults`: what is left out, or is of another type than GitLab writes, is not stated.
fn spelt_out(defaults: &Value) -> DefaultProtection {
    let levels = |key: &str| {
        let level = |row: &Value| i32::try_from(row["access_level"].as_i64()?).ok();
        Some(defaults[key].as_array()?.iter().filter_map(level).collect::<Vec<_>>())
    };
    let flag = |key: &str| defaults[key].as_bool() == Some(true);
    DefaultProtection::spelt_out(
        levels("allowed_to_push").as_deref(),
        levels("allowed_to_merge").as_deref(),
        flag("allow_force_push"),
        flag("developer_can_initial_push"),
    )
}
