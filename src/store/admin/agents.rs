//! Agents for Kubernetes as administrators see them.

use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use crate::store::paging::{self, KeyOrder, KeyValue, Page, PageRequest};
use crate::store::{Db, Result};

/// An agent, in the list.
#[derive(Debug, Clone, FromRow)]
pub struct AgentRow {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The project that configures it.
    pub project_id: i64,
    /// That one's path.
    pub project: String,
    /// Tokens that are good.
    pub tokens: i64,
    /// When one of them was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Findings that are open, by severity.
    pub findings: String,
}

impl AgentRow {
    /// What the list is sorted by.
    #[must_use]
    pub fn key(&self) -> Vec<KeyValue> {
        vec![KeyValue::Number(self.id)]
    }
}

/// A page of the agents; of one alone, where its id is given.
pub async fn list(db: &Db, id: Option<i64>, request: &PageRequest) -> Result<Page<AgentRow>> {
    let mut select = QueryBuilder::new(
        "select cluster_agents.id, cluster_agents.name, cluster_agents.project_id, coalesce(routes.path, '') as project,
           tokens.number as tokens, tokens.last_used_at, coalesce(findings.words, '') as findings
         from cluster_agents
         left join routes on routes.source_type = 'Project' and routes.source_id = cluster_agents.project_id
         cross join lateral (
           select count(*) filter (where status = 0) as number, max(last_used_at) as last_used_at
           from cluster_agent_tokens
           where agent_id = cluster_agents.id
         ) as tokens
         cross join lateral (
           select string_agg(number || ' ' || word, ', ' order by severity desc) as words
           from (
             select severity, count(*) as number,
               case severity when 7 then 'critical' when 6 then 'high' when 5 then 'medium' when 4 then 'low'
                 when 1 then 'info' else 'unknown' end as word
             from vulnerability_reads
             where casted_cluster_agent_id = cluster_agents.id
               and report_type = 7
               and state in (1, 4)
             group by severity
           ) as counted
         ) as findings
         where true",
    );
    if let Some(id) = id {
        select.push(" and cluster_agents.id = ").push_bind(id);
    }
    paging::fetch(db, select, KeyOrder { columns: &["cluster_agents.id"], descending: false }, request).await
}

/// A token of an agent.
#[derive(Debug, Clone)]
pub struct AgentTokenDetail {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Whether it is good.
    pub active: bool,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The tokens of an agent, those that are good first.
pub async fn list_tokens(db: impl PgExecutor<'_>, agent: i64) -> Result<Vec<AgentTokenDetail>> {
    let rows = sqlx::query_as!(
        AgentTokenDetail,
        r#"
        select id, name, status = 0 as "active!", last_used_at, created_at
        from cluster_agent_tokens
        where agent_id = $1
        order by status, id desc
        limit 100
        "#,
        agent
    );
    Ok(rows.fetch_all(db).await?)
}
