//! Tokens of agents. Only digests of them are stored.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Result;
use crate::domain::agent::ClusterAgent;
use crate::domain::ids::{AgentId, ProjectId, UserId};

/// Events that an agent keeps; older ones go when a new one comes.
const EVENTS: i64 = 200;

/// A token that an agent presents.
#[derive(Debug, Clone)]
pub struct KnownAgentToken {
    /// `cluster_agent_tokens.id`
    pub id: i64,
    /// `cluster_agent_tokens.last_used_at`
    pub last_used_at: Option<DateTime<Utc>>,
    /// Whose it is.
    pub agent: ClusterAgent,
}

/// What an operator states about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentTokenRow {
    /// `cluster_agent_tokens.id`
    pub id: i64,
    /// `cluster_agent_tokens.agent_id`
    pub agent: AgentId,
    /// `cluster_agent_tokens.name`
    pub name: String,
    /// `cluster_agent_tokens.token_encrypted`
    pub token_encrypted: String,
    /// `cluster_agent_tokens.description`
    pub description: Option<String>,
    /// `cluster_agent_tokens.status` is 1.
    pub revoked: bool,
}

/// What happens to an agent, as its activity shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentActivity {
    /// A token was made.
    TokenCreated,
    /// The first use of a token after an hour without one.
    Connected,
    /// A token was taken back.
    TokenRevoked,
}

impl AgentActivity {
    fn kind(self) -> i16 {
        match self {
            Self::TokenCreated => 0,
            Self::Connected => 1,
            Self::TokenRevoked => 3,
        }
    }
}

/// The active token that is stored in one of these forms, and its agent.
pub async fn find_active(db: impl PgExecutor<'_>, forms: &[String]) -> Result<Option<KnownAgentToken>> {
    let row = sqlx::query!(
        "
        select tokens.id, tokens.last_used_at, agents.id as agent_id, agents.name, agents.project_id,
          agents.created_by_user_id
        from cluster_agent_tokens as tokens
        join cluster_agents as agents on agents.id = tokens.agent_id
        where tokens.token_encrypted = any ($1)
          and tokens.status = 0
        limit 1
        ",
        forms
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| KnownAgentToken {
        id: row.id,
        last_used_at: row.last_used_at,
        agent: ClusterAgent {
            id: AgentId(row.agent_id),
            name: row.name,
            project: ProjectId(row.project_id),
            created_by: row.created_by_user_id.map(UserId),
        },
    }))
}

/// Notes when the token was used. True where its agent connects by that: none of its tokens was used for an hour. The
/// agent is locked until the transaction ends.
pub async fn update_last_used(conn: &mut PgConnection, token: &KnownAgentToken, now: DateTime<Utc>) -> Result<bool> {
    // One after the other, so that each sees what the one before it noted.
    sqlx::query!("select id from cluster_agents where id = $1 for no key update", token.agent.id.0)
        .fetch_optional(&mut *conn)
        .await?;
    let connected = sqlx::query_scalar!(
        r#"
        with seen as (
          select max(last_used_at) as at
          from cluster_agent_tokens
          where agent_id = $2 and status = 0
        ),
        noted as (
          update cluster_agent_tokens
          set last_used_at = $3
          where id = $1
            and (last_used_at is null or last_used_at < $3)
          returning id
        )
        select seen.at is null or seen.at <= $3 - interval '1 hour' as "connected!"
        from seen, noted
        "#,
        token.id,
        token.agent.id.0,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(connected == Some(true))
}

/// Writes down what happened to an agent, and forgets the oldest of many events.
pub async fn insert_activity(
    conn: &mut PgConnection,
    agent: &ClusterAgent,
    activity: AgentActivity,
    token: Option<i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "
        insert into agent_activity_events (agent_id, agent_token_id, project_id, kind, recorded_at)
        values ($1, $2, $3, $4, $5)
        ",
        agent.id.0,
        token,
        agent.project.0,
        activity.kind(),
        now
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "
        delete from agent_activity_events
        where id in (
          select id
          from agent_activity_events
          where agent_id = $1
          order by recorded_at desc, id desc
          offset $2
        )
        ",
        agent.id.0,
        EVENTS
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The agent's token of that name. Of several, an active one goes first, then the newest.
pub async fn find(db: impl PgExecutor<'_>, agent: AgentId, name: &str) -> Result<Option<AgentTokenRow>> {
    let row = sqlx::query!(
        "
        select id, name, token_encrypted, description, status
        from cluster_agent_tokens
        where agent_id = $1 and name = $2
        order by status, id desc
        limit 1
        ",
        agent.0,
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| AgentTokenRow {
        id: row.id,
        agent,
        name: row.name,
        token_encrypted: row.token_encrypted,
        description: row.description,
        revoked: row.status != 0,
    }))
}

/// The id of the token that is stored in one of these forms, whoever has it.
pub async fn find_id(db: impl PgExecutor<'_>, forms: &[String]) -> Result<Option<i64>> {
    let id = sqlx::query_scalar!("select id from cluster_agent_tokens where token_encrypted = any ($1) limit 1", forms);
    Ok(id.fetch_optional(db).await?)
}

/// How many active tokens the agent has. The agent is locked until the transaction ends, so that the answer stays true.
pub async fn count_active(conn: &mut PgConnection, agent: AgentId) -> Result<i64> {
    sqlx::query!("select id from cluster_agents where id = $1 for update", agent.0).fetch_optional(&mut *conn).await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from cluster_agent_tokens where agent_id = $1 and status = 0"#,
        agent.0
    );
    Ok(count.fetch_one(conn).await?)
}

/// A new token of the agent; `row.id` is looked at where it is not 0.
///
/// # Errors
/// [`super::Error::Duplicate`] where the token exists.
pub async fn insert(db: impl PgExecutor<'_>, project: ProjectId, row: &AgentTokenRow) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "
        insert into cluster_agent_tokens (id, agent_id, project_id, name, token_encrypted, description, status)
        values (coalesce(nullif($1::bigint, 0), nextval('cluster_agent_tokens_id_seq')), $2, $3, $4, $5, $6, $7)
        returning id
        ",
        row.id,
        row.agent.0,
        project.0,
        row.name,
        row.token_encrypted,
        row.description,
        i16::from(row.revoked)
    );
    Ok(id.fetch_one(db).await?)
}

/// Makes the token another one. Whoever takes it back at the same moment has taken it back.
///
/// # Errors
/// [`super::Error::Duplicate`] where another token is the same.
pub async fn update_digest(db: impl PgExecutor<'_>, row: &AgentTokenRow) -> Result<()> {
    sqlx::query!(
        "update cluster_agent_tokens set token_encrypted = $2, updated_at = now() where id = $1",
        row.id,
        row.token_encrypted
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The agent whose token has that id, and the token's name.
pub async fn find_agent(db: impl PgExecutor<'_>, id: i64) -> Result<Option<(AgentId, String)>> {
    let row = sqlx::query!("select agent_id, name from cluster_agent_tokens where id = $1", id);
    Ok(row.fetch_optional(db).await?.map(|row| (AgentId(row.agent_id), row.name)))
}

/// Which of an agent's tokens are meant.
#[derive(Debug, Clone, Copy)]
pub enum WhichTokens<'a> {
    /// All of them.
    All,
    /// Those of this name.
    Named(&'a str),
    /// The one with this id.
    Id(i64),
}

/// Takes those of the agent's tokens back that are good, and says their ids and names.
pub async fn revoke(db: impl PgExecutor<'_>, agent: AgentId, which: WhichTokens<'_>) -> Result<Vec<(i64, String)>> {
    let (name, id) = match which {
        WhichTokens::All => (None, None),
        WhichTokens::Named(name) => (Some(name), None),
        WhichTokens::Id(id) => (None, Some(id)),
    };
    let rows = sqlx::query!(
        "
        update cluster_agent_tokens
        set status = 1, updated_at = now()
        where agent_id = $1 and status = 0 and ($2::text is null or name = $2) and ($3::bigint is null or id = $3)
        returning id, name
        ",
        agent.0,
        name,
        id
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.name)).collect())
}
