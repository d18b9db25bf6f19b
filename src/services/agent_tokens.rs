//! Tokens of agents are issued, used and revoked.

use chrono::{DateTime, Utc};

use super::admin_sessions::Administrator;
use super::{ServiceError, ServiceResult};
use crate::domain::agent::{ClusterAgent, MOST_TOKENS};
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::store::agent_tokens::{self, AgentActivity, AgentTokenRow, KnownAgentToken, WhichTokens};
use crate::store::{self, Db, audit_events};

/// The agent has as many active tokens as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAgentTokens;

/// Keeps a new token of the agent, whose project has that full path, and writes down who made it.
pub async fn issue(
    db: &Db,
    agent: &ClusterAgent,
    project: &str,
    row: &AgentTokenRow,
    now: DateTime<Utc>,
) -> ServiceResult<(), TooManyAgentTokens> {
    let mut transaction = db.begin().await?;
    if agent_tokens::count_active(&mut transaction, agent.id).await? >= MOST_TOKENS {
        return Err(ServiceError::Refused(TooManyAgentTokens));
    }
    let id = agent_tokens::insert(&mut *transaction, agent.project, row).await?;
    agent_tokens::insert_activity(&mut transaction, agent, AgentActivity::TokenCreated, Some(id), now).await?;
    let event = event(EventName::AgentTokenIssued, agent, project, id, &row.name);
    audit_events::insert(&mut *transaction, &event, now).await?;
    Ok(transaction.commit().await?)
}

/// Takes those of the agent's tokens back that are good: their names. Who does it on the command line is nobody that we
/// know.
pub async fn revoke(
    db: &Db,
    agent: &ClusterAgent,
    project: &str,
    which: WhichTokens<'_>,
    by: Option<&Administrator>,
    now: DateTime<Utc>,
) -> store::Result<Vec<String>> {
    let mut transaction = db.begin().await?;
    let revoked = agent_tokens::revoke(&mut *transaction, agent.id, which).await?;
    for (id, name) in &revoked {
        agent_tokens::insert_activity(&mut transaction, agent, AgentActivity::TokenRevoked, Some(*id), now).await?;
        let mut event = event(EventName::AgentTokenRevoked, agent, project, *id, name);
        if let Some(by) = by {
            event.author = AuditAuthor::User(by.id, by.username.clone());
            event.message = format!("Agent {}, by an administrator", agent.name);
            event.ip_address = by.ip_address;
        }
        audit_events::insert(&mut *transaction, &event, now).await?;
    }
    transaction.commit().await?;
    Ok(revoked.into_iter().map(|(_, name)| name).collect())
}

/// Notes that the token was used, and that its agent has connected where none of its tokens was used for an hour.
/// Of several uses at once, one connects it.
pub async fn note_use(db: &Db, token: &KnownAgentToken, now: DateTime<Utc>) -> store::Result<()> {
    store::settled(db, || async {
        let mut transaction = db.begin().await?;
        if agent_tokens::update_last_used(&mut transaction, token, now).await? {
            let agent = &token.agent;
            agent_tokens::insert_activity(&mut transaction, agent, AgentActivity::Connected, Some(token.id), now)
                .await?;
        }
        transaction.commit().await
    })
    .await
}

fn event(name: EventName, agent: &ClusterAgent, project: &str, token: i64, token_name: &str) -> AuditEvent {
    AuditEvent {
        name,
        author: AuditAuthor::Unknown,
        entity: AuditEntity::Project(agent.project, project.to_owned()),
        target: Some(AuditTarget { kind: "Clusters::AgentToken", id: token, details: token_name.to_owned() }),
        message: format!("Agent {}, on the command line", agent.name),
        ip_address: None,
    }
}
