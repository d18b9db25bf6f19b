//! Which projects and groups an agent's configuration opens it to, and what a user may do there.

use chrono::NaiveDate;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::agent::ClusterAgent;
use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::domain::level::AccessLevel;

/// An entry of a configuration: a full path, and what it says of it.
#[derive(Debug, Clone)]
pub struct ConfigurationEntry {
    /// The full path of a project or group, in any letter case.
    pub path: String,
    /// What is kept of it.
    pub config: Value,
}

/// What the agent's configuration opens.
#[derive(Debug, Clone, Default)]
pub struct OpenedAccess {
    /// Projects whose CI jobs may use the agent.
    pub ci_projects: Vec<ConfigurationEntry>,
    /// Groups whose CI jobs may use the agent.
    pub ci_groups: Vec<ConfigurationEntry>,
    /// Projects whose members may use the agent.
    pub user_projects: Vec<ConfigurationEntry>,
    /// Groups whose members may use the agent.
    pub user_groups: Vec<ConfigurationEntry>,
}

/// Makes the agent's rows what its configuration says. Entries outside of the root group of the agent's project, or
/// that name nothing, are passed over; of two that name the same, the later one counts.
pub async fn replace(conn: &mut PgConnection, agent: &ClusterAgent, opened: &OpenedAccess) -> Result<()> {
    sqlx::query!("select id from cluster_agents where id = $1 for update", agent.id.0)
        .fetch_optional(&mut *conn)
        .await?;
    replace_ci_projects(conn, agent, &opened.ci_projects).await?;
    replace_ci_groups(conn, agent, &opened.ci_groups).await?;
    replace_user_projects(conn, agent, &opened.user_projects).await?;
    replace_user_groups(conn, agent, &opened.user_groups).await
}

/// The four tables differ in their names alone, which a checked statement cannot take as a parameter.
macro_rules! replace_rows {
    ($(#[$doc:meta])* $name:ident, $projects:literal) => {
        $(#[$doc])*
        async fn $name(conn: &mut PgConnection, agent: &ClusterAgent, entries: &[ConfigurationEntry]) -> Result<()> {
            let (paths, configs) = columns(entries);
            sqlx::query_file!($projects, agent.id.0, agent.project.0, &paths, &configs as _).execute(conn).await?;
            Ok(())
        }
    };
}

replace_rows!(
    /// `agent_project_authorizations`
    replace_ci_projects,
    "src/store/agent_ci_projects.sql"
);
replace_rows!(
    /// `agent_group_authorizations`
    replace_ci_groups,
    "src/store/agent_ci_groups.sql"
);
replace_rows!(
    /// `agent_user_access_project_authorizations`
    replace_user_projects,
    "src/store/agent_user_projects.sql"
);
replace_rows!(
    /// `agent_user_access_group_authorizations`
    replace_user_groups,
    "src/store/agent_user_groups.sql"
);

/// The full paths of the projects whose CI jobs may use the agent, in order.
pub async fn list_ci_projects(db: impl PgExecutor<'_>, agent: AgentId) -> Result<Vec<String>> {
    let paths = sqlx::query_scalar!(
        "
        select routes.path
        from agent_project_authorizations as opened
        join routes on routes.source_type = 'Project' and routes.source_id = opened.project_id
        where opened.agent_id = $1
        order by routes.path
        ",
        agent.0
    );
    Ok(paths.fetch_all(db).await?)
}

/// Opens the agent to the CI jobs of these projects and no others. What the agent's configuration says of those that
/// stay is kept.
pub async fn set_ci_projects(db: impl PgExecutor<'_>, agent: AgentId, projects: &[ProjectId]) -> Result<()> {
    let ids: Vec<i64> = projects.iter().map(|project| project.0).collect();
    sqlx::query!(
        "
        with gone as (
          delete from agent_project_authorizations
          where agent_id = $1 and project_id <> all ($2)
        )
        insert into agent_project_authorizations (agent_id, project_id, config)
        select distinct $1, id, '{}'::jsonb
        from unnest($2::bigint[]) as stated (id)
        on conflict (agent_id, project_id) do nothing
        ",
        agent.0,
        &ids
    )
    .execute(db)
    .await?;
    Ok(())
}

fn columns(entries: &[ConfigurationEntry]) -> (Vec<String>, Vec<Json<&Value>>) {
    entries.iter().map(|entry| (entry.path.clone(), Json(&entry.config))).unzip()
}

/// A project or group that an agent's users come from, and what one of them is there.
#[derive(Debug, Clone)]
pub struct UserAccess {
    /// Its id.
    pub id: i64,
    /// Whether it is a group.
    pub group: bool,
    /// What the configuration says of it.
    pub config: Value,
    /// What the user is there.
    pub level: AccessLevel,
}

/// The projects and groups whose members may use the agent, and what the user is in each.
pub async fn list_user_access(
    db: impl PgExecutor<'_>,
    agent: AgentId,
    user: UserId,
    today: NaiveDate,
) -> Result<Vec<UserAccess>> {
    let rows = sqlx::query!(
        r#"
        select
          -- Also where the user is nothing: the configuration is judged before the user (kas.md 2.12).
          opened.project_id as "id!",
          false as "is_group!",
          opened.config as "config!: Json<Value>",
          coalesce(
            (
              select max(authorizations.access_level)
              from project_authorizations as authorizations
              where authorizations.project_id = opened.project_id
                and authorizations.user_id = $2
            ),
            0
          ) as "level!"
        from agent_user_access_project_authorizations as opened
        where opened.agent_id = $1
        union all
        select
          opened.group_id,
          true,
          opened.config,
          coalesce(
            greatest(
              (
                -- Groups have no table of effective levels as projects have.
                select max(members.access_level)
                from members
                where members.user_id = $2
                  and members.source_type = 'Namespace'
                  and members.source_id = any (namespaces.traversal_ids)
                  and gatehouse_is_active_member(members, $3)
              ),
              (
                -- A group share reaches direct members of the invited group alone (schema.md 1.5).
                select max(least(members.access_level, links.group_access))
                from group_group_links as links
                join members
                  on members.source_type = 'Namespace'
                  and members.source_id = links.shared_with_group_id
                where links.shared_group_id = any (namespaces.traversal_ids)
                  and (links.expires_at is null or links.expires_at > $3)
                  and members.user_id = $2
                  and gatehouse_is_active_member(members, $3)
              )
            ),
            0
          )
        from agent_user_access_group_authorizations as opened
        join namespaces on namespaces.id = opened.group_id
        where opened.agent_id = $1
        -- Projects before groups, so that an answer does not change from call to call.
        order by 2, 1
        "#,
        agent.0,
        user.0,
        today
    )
    .fetch_all(db)
    .await?;
    let rows = rows.into_iter().map(|row| UserAccess {
        id: row.id,
        group: row.is_group,
        config: row.config.0,
        level: AccessLevel(row.level),
    });
    Ok(rows.collect())
}
