//! Where projects' repositories are, and which of them are still to be made.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{Result, default_branches, projects};
use crate::domain::ids::ProjectId;
use crate::domain::repository::{GlRepository, RepositoryLocation, hashed_path};

/// A project's repositories.
#[derive(Debug, Clone)]
pub struct ProjectRepositories {
    /// The project.
    pub project: ProjectId,
    /// Its full path.
    pub path: String,
    /// The storage that has them.
    pub storage: String,
    /// Where they are on the storage, without an ending.
    pub disk_path: String,
    /// Whether the code's repository has been made.
    pub code: bool,
    /// Whether the wiki's has.
    pub wiki: bool,
}

impl ProjectRepositories {
    /// The repository of the code.
    #[must_use]
    pub fn code(&self) -> RepositoryLocation {
        self.location(GlRepository::Project(self.project), "")
    }

    /// The repository of the wiki.
    #[must_use]
    pub fn wiki(&self) -> RepositoryLocation {
        self.location(GlRepository::Wiki(self.project), ".wiki")
    }

    fn location(&self, repository: GlRepository, suffix: &str) -> RepositoryLocation {
        RepositoryLocation {
            storage: self.storage.clone(),
            relative_path: format!("{}{suffix}.git", self.disk_path),
            gl_repository: repository.to_string(),
            gl_project_path: format!("{}{suffix}", self.path),
        }
    }
}

/// The repositories of a project.
pub async fn find(db: impl PgExecutor<'_>, project: ProjectId) -> Result<Option<ProjectRepositories>> {
    let row = sqlx::query!(
        r#"
        select
          projects.repository_storage,
          coalesce(projects.storage_version, 0) >= 1 as "hashed!",
          routes.path,
          exists (select from project_repositories where project_repositories.project_id = projects.id) as "code!",
          exists (
            select from project_wiki_repositories where project_wiki_repositories.project_id = projects.id
          ) as "wiki!"
        from projects
        join routes on routes.source_type = 'Project' and routes.source_id = projects.id
        where projects.id = $1
        "#,
        project.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| ProjectRepositories {
        project,
        disk_path: if row.hashed { hashed_path("@hashed", project.0) } else { row.path.clone() },
        path: row.path,
        storage: row.repository_storage,
        code: row.code,
        wiki: row.wiki,
    }))
}

/// Notes that a project's repository is not to be made after all.
pub async fn delete_missing(db: impl PgExecutor<'_>, project: ProjectId) -> Result<()> {
    sqlx::query!("delete from missing_repositories where project_id = $1", project.0).execute(db).await?;
    Ok(())
}

/// Says anew what HEAD is to name of a project's repository, where that is still to be made.
pub async fn update_missing(db: impl PgExecutor<'_>, project: ProjectId, branch: &str) -> Result<()> {
    sqlx::query!("update missing_repositories set default_branch = $2 where project_id = $1", project.0, branch)
        .execute(db)
        .await?;
    Ok(())
}

/// A project whose repository is to be made, and the branch that HEAD is to name.
pub async fn find_missing(db: &mut PgConnection, project: ProjectId) -> Result<Option<String>> {
    let missing =
        sqlx::query_scalar!("select default_branch from missing_repositories where project_id = $1", project.0)
            .fetch_optional(&mut *db)
            .await?;
    match missing {
        None => Ok(None),
        Some(Some(name)) => Ok(Some(name)),
        Some(None) => default_branches::find_initial(db, project).await.map(Some),
    }
}

/// The projects whose repositories are to be made, those that wait for the longest first.
pub async fn list_missing(db: impl PgExecutor<'_>, limit: i64) -> Result<Vec<ProjectId>> {
    let ids = sqlx::query_scalar!(
        "select project_id from missing_repositories order by created_at, project_id limit $1",
        limit
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(ProjectId).collect())
}

/// Notes that a project's repository is on its storage now; `head` is what its HEAD names where it was made just now.
pub async fn upsert(
    conn: &mut PgConnection,
    project: ProjectId,
    storage: &str,
    head: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    projects::upsert_repository(conn, project, storage).await?;
    delete_missing(&mut *conn, project).await?;
    if let Some(head) = head {
        default_branches::insert(conn, project, head, now).await?;
    }
    Ok(())
}
