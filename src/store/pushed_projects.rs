//! What is said of a project and of a user where somebody pushed, and what of them changes with it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{ProjectId, SnippetId, UserId};
use crate::domain::push::ProtectedRefs;

/// A project that was pushed to.
#[derive(Debug, Clone)]
pub struct PushedProject {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// What it says of itself.
    pub description: Option<String>,
    /// Its full path.
    pub path: String,
    /// The name of the namespace that it is in.
    pub namespace: String,
    /// 0 private, 10 internal, 20 public
    pub visibility_level: i32,
    /// Its default branch, where we know it.
    pub default_branch: Option<String>,
    /// Whether that branch has been pushed.
    pub default_branch_born: bool,
    /// The storage that has its repository.
    pub storage: String,
    /// Whether its path on disk is the hash of its id.
    pub hashed_storage: bool,
    /// Refs of one kind that each have an event of their own, at most.
    pub activities_limit: usize,
    /// Refs of one kind that hooks are told of, at most.
    pub hooks_limit: usize,
    /// No hook is told anything now.
    pub silent: bool,
    /// What clone URLs over HTTP start with, where that is not the address in the settings file.
    pub http_clone_root: Option<String>,
}

/// The project, with the limits of the instance.
pub async fn find(db: impl PgExecutor<'_>, id: ProjectId) -> Result<Option<PushedProject>> {
    let row = sqlx::query!(
        r#"
        select
          projects.id,
          coalesce(projects.name, '') as "name!",
          projects.description,
          routes.path,
          namespaces.name as namespace,
          projects.visibility_level,
          project_default_branches.name as "default_branch?",
          coalesce(project_default_branches.born, false) as "born!",
          projects.repository_storage,
          coalesce(projects.storage_version, 0) >= 1 as "hashed_storage!",
          settings.push_event_activities_limit as "activities_limit?",
          settings.push_event_hooks_limit as "hooks_limit?",
          settings.silent_mode_enabled as "silent?",
          nullif(rtrim(settings.custom_http_clone_url_root, '/'), '') as http_clone_root
        from projects
        join routes on routes.source_id = projects.id and routes.source_type = 'Project'
        join namespaces on namespaces.id = projects.namespace_id
        left join project_default_branches on project_default_branches.project_id = projects.id
        left join lateral (
          select *
          from application_settings
          order by id desc
          limit 1
        ) as settings on true
        where projects.id = $1
        "#,
        id.0,
    )
    .fetch_optional(db)
    .await?;
    let limit = |limit: Option<i32>| limit.map_or(3, |limit| usize::try_from(limit).unwrap_or_default());
    Ok(row.map(|row| PushedProject {
        id: ProjectId(row.id),
        name: row.name,
        description: row.description,
        path: row.path,
        namespace: row.namespace,
        visibility_level: row.visibility_level,
        default_branch: row.default_branch,
        default_branch_born: row.born,
        storage: row.repository_storage,
        hashed_storage: row.hashed_storage,
        activities_limit: limit(row.activities_limit),
        hooks_limit: limit(row.hooks_limit),
        silent: row.silent.unwrap_or_default(),
        http_clone_root: row.http_clone_root,
    }))
}

/// Whoever pushed, as hooks are told of them.
#[derive(Debug, Clone)]
pub struct PushAuthor {
    /// Their id.
    pub id: UserId,
    /// Their display name.
    pub name: String,
    /// Their name on this installation.
    pub username: String,
    /// The address that they show to everybody.
    pub public_email: Option<String>,
    /// The address that they are reached at, for hooks of the instance.
    pub email: String,
}

/// The user of this id.
pub async fn find_author(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<PushAuthor>> {
    let row = sqlx::query!(
        r#"
        select
          id,
          coalesce(name, '') as "name!",
          coalesce(username, '') as "username!",
          nullif(public_email, '') as public_email,
          email
        from users
        where id = $1
        "#,
        id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| PushAuthor {
        id: UserId(row.id),
        name: row.name,
        username: row.username,
        public_email: row.public_email,
        email: row.email,
    }))
}

/// The patterns that protect refs of a project: its own, and those of its top-level group.
pub async fn find_protected_refs(db: impl PgExecutor<'_>, id: ProjectId) -> Result<ProtectedRefs> {
    let row = sqlx::query!(
        r#"
        select
          array(
            select protected_branches.name
            from protected_branches
            where protected_branches.project_id = projects.id
              or protected_branches.namespace_id = any (namespaces.traversal_ids)
          ) as "branches!",
          array(
            select protected_tags.name
            from protected_tags
            where protected_tags.project_id = projects.id
          ) as "tags!"
        from projects
        join namespaces on namespaces.id = projects.namespace_id
        where projects.id = $1
        "#,
        id.0,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ProtectedRefs { branches: row.branches, tags: row.tags }).unwrap_or_default())
}

/// Notes when a project was last active, and, where its code has changed, that it has. Time does not run backwards: a
/// push that is processed late leaves a later note alone.
pub async fn update_activity(db: impl PgExecutor<'_>, id: ProjectId, code: bool, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update projects
         set
           last_activity_at = greatest(last_activity_at, $3),
           last_repository_updated_at = case
             when $2 then greatest(last_repository_updated_at, $3)
             else last_repository_updated_at
           end
         where id = $1",
        id.0,
        code,
        at.naive_utc(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes when a snippet was last changed.
pub async fn update_snippet(db: impl PgExecutor<'_>, id: SnippetId, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update snippets set updated_at = greatest(updated_at, $2) where id = $1", id.0, at.naive_utc())
        .execute(db)
        .await?;
    Ok(())
}
