//! Agents for Kubernetes of many projects, their tokens, and what they are opened to.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::domain::agent::ClusterAgent;
use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::store::Result;
use crate::store::agent_tokens::AgentTokenRow;

/// The agents that these projects configure.
pub async fn list(db: impl PgExecutor<'_>, projects: &[i64]) -> Result<Vec<ClusterAgent>> {
    let rows = sqlx::query!(
        "
        select id, name, project_id, created_by_user_id
        from cluster_agents
        where project_id = any($1)
        order by project_id, id
        ",
        projects
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ClusterAgent {
            id: AgentId(row.id),
            name: row.name,
            project: ProjectId(row.project_id),
            created_by: row.created_by_user_id.map(UserId),
        })
        .collect())
}

/// New agents.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where a project has an agent of that name.
pub async fn insert(db: impl PgExecutor<'_>, rows: &[ClusterAgent]) -> Result<()> {
    sqlx::query!(
        "
        insert into cluster_agents (id, project_id, name, created_by_user_id)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[])
        ",
        &rows.iter().map(|row| row.id.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.project.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.created_by.map(|user| user.0)).collect::<Vec<_>>() as _
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The tokens of these agents; of several that have one name, an active one goes first, then the newest.
pub async fn list_tokens(db: impl PgExecutor<'_>, agents: &[i64]) -> Result<Vec<AgentTokenRow>> {
    let rows = sqlx::query!(
        "
        select id, agent_id, name, token_encrypted, description, status
        from cluster_agent_tokens
        where agent_id = any($1)
        order by agent_id, name, status, id desc
        ",
        agents
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AgentTokenRow {
            id: row.id,
            agent: AgentId(row.agent_id),
            name: row.name,
            token_encrypted: row.token_encrypted,
            description: row.description,
            revoked: row.status != 0,
        })
        .collect())
}

/// The ids of the tokens that are stored as these digests, whoever has them.
pub async fn list_token_ids(db: impl PgExecutor<'_>, digests: &[String]) -> Result<HashMap<String, i64>> {
    let rows =
        sqlx::query!("select token_encrypted, id from cluster_agent_tokens where token_encrypted = any($1)", digests);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.token_encrypted, row.id)).collect())
}

/// Locks agents until the transaction ends, so that nobody else gives them tokens.
pub async fn lock(db: impl PgExecutor<'_>, agents: &[i64]) -> Result<()> {
    sqlx::query!("select id from cluster_agents where id = any($1) order by id for update", agents)
        .fetch_all(db)
        .await?;
    Ok(())
}

/// New tokens of agents, noted among what happened to the agents. [`lock`] has locked the agents before their tokens were
/// counted.
///
/// # Errors
/// [`crate::store::Error::Duplicate`] where one exists.
pub async fn insert_tokens(
    conn: &mut PgConnection,
    rows: &[(ProjectId, AgentTokenRow)],
    now: DateTime<Utc>,
) -> Result<()> {
    let (ids, agents): (Vec<i64>, Vec<i64>) = rows.iter().map(|(_, row)| (row.id, row.agent.0)).unzip();
    let projects: Vec<i64> = rows.iter().map(|(project, _)| project.0).collect();
    sqlx::query!(
        "
        insert into cluster_agent_tokens (id, agent_id, project_id, name, token_encrypted)
        select *
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
        ",
        &ids,
        &agents,
        &projects,
        &rows.iter().map(|(_, row)| row.name.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|(_, row)| row.token_encrypted.clone()).collect::<Vec<_>>()
    )
    .execute(&mut *conn)
    .await?;
    // 0 is the kind of a token that was made.
    sqlx::query!(
        "
        insert into agent_activity_events (agent_id, agent_token_id, project_id, kind, recorded_at)
        select agent_id, token_id, project_id, 0, $4
        from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as made (agent_id, token_id, project_id)
        ",
        &agents,
        &ids,
        &projects,
        now
    )
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// The full paths of the projects whose CI jobs may use these agents, in order.
pub async fn list_ci_projects(
    db: impl PgExecutor<'_>,
    agents: &[i64],
) -> Result<HashMap<AgentId, Vec<(ProjectId, String)>>> {
    let rows = sqlx::query!(
        r#"
        select opened.agent_id, opened.project_id, routes.path
        from agent_project_authorizations as opened
        join routes on routes.source_type = 'Project' and routes.source_id = opened.project_id
        where opened.agent_id = any($1)
        order by routes.path
        "#,
        agents
    )
    .fetch_all(db)
    .await?;
    let mut opened: HashMap<AgentId, Vec<(ProjectId, String)>> = HashMap::new();
    for row in rows {
        opened.entry(AgentId(row.agent_id)).or_default().push((ProjectId(row.project_id), row.path));
    }
    Ok(opened)
}
