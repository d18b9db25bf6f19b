//! Names for lists of who has access to what, some thousand ids at a time.

use std::collections::HashMap;

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::{KeyId, ProjectId, UserId};
use crate::domain::level::VisibilityLevel;

/// A user of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUser {
    /// Their id.
    pub id: UserId,
    /// Their name on this installation.
    pub username: String,
    /// `users.state`
    pub state: String,
    /// Administrators reach everything.
    pub admin: bool,
    /// Auditors read everything.
    pub auditor: bool,
}

/// A project of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProject {
    /// Its id.
    pub id: ProjectId,
    /// Its full path.
    pub full_path: String,
    /// Who may see it.
    pub visibility: VisibilityLevel,
}

/// A deploy key that is enabled in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDeployKey {
    /// Its id.
    pub id: KeyId,
    /// What its maker calls it.
    pub title: String,
    /// Whether it may write.
    pub can_push: bool,
    /// The day on which it was enabled.
    pub since: Option<chrono::NaiveDate>,
}

/// These users, by id. Those who are gone are left out.
pub async fn list_users(db: impl PgExecutor<'_>, ids: &[UserId]) -> Result<HashMap<UserId, ListedUser>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        select
          id,
          coalesce(username, id::text) as "username!",
          state,
          coalesce(admin, false) as "admin!",
          coalesce(auditor, false) as "auditor!"
        from users
        where id = any($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let users = rows.into_iter().map(|row| {
        let id = UserId(row.id);
        let user = ListedUser { id, username: row.username, state: row.state, admin: row.admin, auditor: row.auditor };
        (id, user)
    });
    Ok(users.collect())
}

/// The user of this name, whatever the case of its letters, or of this id where the text is a number.
pub async fn find_user(db: impl PgExecutor<'_>, name: &str) -> Result<Option<UserId>> {
    let found = sqlx::query_scalar!(
        r#"
        select id
        from users
        where lower(username) = lower($1)
        union all
        select id
        from users
        where id = $2
        limit 1
        "#,
        name,
        name.parse::<i64>().ok()
    );
    Ok(found.fetch_optional(db).await?.flatten().map(UserId))
}

/// The project under this path, whatever the case of its letters.
pub async fn find_project(db: impl PgExecutor<'_>, path: &str) -> Result<Option<ListedProject>> {
    let row = sqlx::query!(
        r#"
        select projects.id, projects.visibility_level, routes.path
        from routes
        join projects on projects.id = routes.source_id
        where lower(routes.path) = lower($1)
          and routes.source_type = 'Project'
        order by routes.path = $1 desc, routes.id
        limit 1
        "#,
        path
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ListedProject {
        id: ProjectId(row.id),
        full_path: row.path,
        visibility: VisibilityLevel::from_level(row.visibility_level),
    }))
}

/// These projects, by id. Those that are gone are left out.
pub async fn list_projects(db: impl PgExecutor<'_>, ids: &[ProjectId]) -> Result<HashMap<ProjectId, ListedProject>> {
    let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"
        select projects.id, projects.visibility_level, routes.path
        from projects
        join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        where projects.id = any($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let projects = rows.into_iter().map(|row| {
        let id = ProjectId(row.id);
        let visibility = VisibilityLevel::from_level(row.visibility_level);
        (id, ListedProject { id, full_path: row.path, visibility })
    });
    Ok(projects.collect())
}

/// The deploy keys that are enabled in the project, in order.
pub async fn list_deploy_keys(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Vec<ListedDeployKey>> {
    let rows = sqlx::query!(
        r#"
        select
          keys.id,
          coalesce(keys.title, '') as "title!",
          bool_or(deploy_keys_projects.can_push) as "can_push!",
          min(deploy_keys_projects.created_at)::date as "since?"
        from deploy_keys_projects
        join keys on keys.id = deploy_keys_projects.deploy_key_id
        where deploy_keys_projects.project_id = $1
        group by keys.id
        order by keys.id
        "#,
        project.0
    )
    .fetch_all(db)
    .await?;
    let keys = rows.into_iter().map(|row| ListedDeployKey {
        id: KeyId(row.id),
        title: row.title,
        can_push: row.can_push,
        since: row.since,
    });
    Ok(keys.collect())
}
