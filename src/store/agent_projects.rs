//! Projects, as kas asks for them.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::ids::ProjectId;
use crate::domain::repository::hashed_path;

/// Which project is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectKey {
    /// By its id.
    Id(i64),
    /// By its full path, in any letter case.
    Path(String),
}

impl ProjectKey {
    /// The project that `id` means: digits are an id, anything with a slash a full path, and nothing else is a project.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return id.parse().ok().map(Self::Id);
        }
        id.contains('/').then(|| Self::Path(id.to_owned()))
    }
}

/// A project whose files an agent may read.
#[derive(Debug, Clone)]
pub struct AgentProject {
    /// Its id.
    pub id: ProjectId,
    /// Its full path.
    pub path: String,
    /// The name of its storage.
    pub storage: String,
    /// Where its repository is on the storage.
    pub relative_path: String,
    /// The branch that its repository is known to name; its repository must be asked where none is known.
    pub default_branch: Option<String>,
    /// Whether everybody may read its repository without signing in.
    pub readable_by_everybody: bool,
}

/// The project, unless it is hidden or about to be removed.
pub async fn find(db: impl PgExecutor<'_>, key: &ProjectKey) -> Result<Option<AgentProject>> {
    let (id, path) = match key {
        ProjectKey::Id(id) => (Some(*id), None),
        ProjectKey::Path(path) => (None, Some(path.as_str())),
    };
    let row = sqlx::query!(
        r#"
        select
          projects.id,
          routes.path,
          projects.repository_storage,
          coalesce(projects.storage_version, 0) >= 1 as "hashed!",
          projects.visibility_level = 20
            and coalesce(project_features.repository_access_level, 20) >= 20 as "readable_by_everybody!",
          project_default_branches.name as "default_branch?"
        from projects
        join routes on routes.source_id = projects.id and routes.source_type = 'Project'
        left join project_features on project_features.project_id = projects.id
        left join project_default_branches on project_default_branches.project_id = projects.id
        where projects.id = coalesce($1, (
          select named.source_id
          from routes as named
          where named.source_type = 'Project'
            and lower(named.path) = lower($2)
          order by named.path = $2 desc, named.id
          limit 1
        ))
          and not coalesce(projects.pending_delete, false)
          and not projects.hidden
        "#,
        id,
        path
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| AgentProject {
        id: ProjectId(row.id),
        relative_path: format!("{}.git", if row.hashed { hashed_path("@hashed", row.id) } else { row.path.clone() }),
        path: row.path,
        storage: row.repository_storage,
        default_branch: row.default_branch,
        readable_by_everybody: row.readable_by_everybody,
    }))
}

/// Whether the project exists, and is neither hidden nor about to be removed.
pub async fn exists(db: impl PgExecutor<'_>, id: ProjectId) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
        select exists (
          select 1 from projects where id = $1 and not coalesce(pending_delete, false) and not hidden
        ) as "exists!"
        "#,
        id.0
    );
    Ok(found.fetch_one(db).await?)
}
