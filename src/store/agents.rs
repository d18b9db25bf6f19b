//! Agents for Kubernetes.

use sqlx::PgExecutor;

use super::Result;
use crate::domain::agent::ClusterAgent;
use crate::domain::ids::{AgentId, ProjectId, UserId};

/// The agent of that id.
pub async fn find(db: impl PgExecutor<'_>, id: AgentId) -> Result<Option<ClusterAgent>> {
    let row = sqlx::query!("select name, project_id, created_by_user_id from cluster_agents where id = $1", id.0);
    Ok(row.fetch_optional(db).await?.map(|row| ClusterAgent {
        id,
        name: row.name,
        project: ProjectId(row.project_id),
        created_by: row.created_by_user_id.map(UserId),
    }))
}

/// The project's agent of that name.
pub async fn find_by_name(db: impl PgExecutor<'_>, project: ProjectId, name: &str) -> Result<Option<ClusterAgent>> {
    let row = sqlx::query!(
        "select id, created_by_user_id from cluster_agents where project_id = $1 and name = $2",
        project.0,
        name
    );
    Ok(row.fetch_optional(db).await?.map(|row| ClusterAgent {
        id: AgentId(row.id),
        name: name.to_owned(),
        project,
        created_by: row.created_by_user_id.map(UserId),
    }))
}

/// A new agent, with the given id or the next one.
///
/// # Errors
/// [`super::Error::Duplicate`] where the project has an agent of that name.
pub async fn insert(
    db: impl PgExecutor<'_>,
    id: Option<i64>,
    project: ProjectId,
    name: &str,
    created_by: Option<UserId>,
) -> Result<AgentId> {
    let id = sqlx::query_scalar!(
        "
        insert into cluster_agents (id, project_id, name, created_by_user_id)
        values (coalesce($1, nextval('cluster_agents_id_seq')), $2, $3, $4)
        returning id
        ",
        id,
        project.0,
        name,
        created_by.map(|user| user.0)
    );
    Ok(AgentId(id.fetch_one(db).await?))
}

/// Says who made the agent, and acts through it.
pub async fn update_creator(db: impl PgExecutor<'_>, id: AgentId, created_by: Option<UserId>) -> Result<()> {
    let user = created_by.map(|user| user.0);
    sqlx::query!("update cluster_agents set created_by_user_id = $2, updated_at = now() where id = $1", id.0, user)
        .execute(db)
        .await?;
    Ok(())
}

/// Removes an agent, its tokens, and what it found.
pub async fn delete(db: impl PgExecutor<'_>, id: AgentId) -> Result<()> {
    sqlx::query!("delete from cluster_agents where id = $1", id.0).execute(db).await?;
    Ok(())
}
