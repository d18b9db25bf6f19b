//! `agents:`, of a project.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::run::{Changes, Found, Place, Run};
use super::words::{Ensure, Given, Id, stated};
use crate::domain::agent::{self, Agent, MOST_TOKENS};
use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::store::agent_tokens::{self, Activity, AgentTokenRow};
use crate::store::namespaces::{self, Holder};
use crate::store::{Result, agent_authorizations, agents};

/// An agent for Kubernetes, found by its name in the project that configures it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatedAgent {
    /// Lower-case letters, digits and dashes.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The user in whose name the agent reports; null for nobody, whose reports are refused.
    #[serde(default, deserialize_with = "stated")]
    pub created_by: Option<Option<String>>,
    /// Its tokens, found by their names. Two may be active.
    #[serde(default)]
    pub tokens: Vec<AgentToken>,
    /// Full paths of projects whose CI jobs may use it; its configuration file says so too, and whoever spoke last is
    /// heard.
    pub project_access: Option<Vec<String>>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A token that an agent shows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentToken {
    /// What people call it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// The token itself, of 50 characters after `glagent-` at least. Left out, it is made and printed once.
    pub token: Option<Given>,
    /// `absent` takes it back, for good: a token of that name would be another one.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Brings a project's agents about; `whose` is its path. The answer has their ids by name.
pub async fn bring(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    stated: &[StatedAgent],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, entry) in stated.iter().enumerate() {
        let place = place.item(index);
        let what = format!("agent {} of {whose}", entry.name);
        let existing = agents::find_by_name(&mut *run.conn, project, &entry.name).await?;
        if entry.ensure.is_absent() {
            if let Some(agent) = existing {
                agents::delete(&mut *run.conn, agent.id).await?;
                run.removed(&what);
            }
            continue;
        }
        let Some(agent) = bring_one(run, &place, project, &what, entry, existing).await? else { continue };
        let tokens = bring_tokens(run, &place.key("tokens"), &agent, &what, &entry.tokens).await?;
        let mut object = Map::from_iter([("id".to_owned(), json!(agent.id.0))]);
        if !tokens.is_empty() {
            object.insert("tokens".to_owned(), tokens.into());
        }
        named.insert(entry.name.clone(), object.into());
    }
    Ok(named)
}

/// Opens agents to CI jobs, when all projects exist. Any project may be stated, also one that the agent's own
/// configuration could not open.
pub async fn bring_access(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    stated: &[StatedAgent],
) -> Result<()> {
    for (index, entry) in stated.iter().enumerate().filter(|(_, agent)| !agent.ensure.is_absent()) {
        let Some(paths) = &entry.project_access else { continue };
        let Some(agent) = agents::find_by_name(&mut *run.conn, project, &entry.name).await? else { continue };
        let place = place.item(index).key("project_access");
        let mut projects = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            match namespaces::find_holder(&mut *run.conn, path).await? {
                Some(Holder::Project(id)) => projects.push(id),
                _ if run.is_unborn(path) => {}
                _ => run.mistake(&place.item(index), format!("there is no project {path}")),
            }
        }
        let before = agent_authorizations::list_ci_projects(&mut *run.conn, agent.id).await?;
        agent_authorizations::set_ci_projects(&mut *run.conn, agent.id, &projects).await?;
        let after = agent_authorizations::list_ci_projects(&mut *run.conn, agent.id).await?;
        if before != after {
            run.changed(&format!(
                "agent {} of {whose} project_access {} → {}",
                agent.name,
                show(&before),
                show(&after)
            ));
        }
    }
    Ok(())
}

fn show(paths: &[String]) -> String {
    if paths.is_empty() { "none".to_owned() } else { paths.join(" ") }
}

async fn bring_one(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    what: &str,
    entry: &StatedAgent,
    existing: Option<Agent>,
) -> Result<Option<Agent>> {
    if !agent::is_name(&entry.name) {
        run.mistake(&place.key("name"), "must be lower-case letters, digits and dashes, for example prod");
        return Ok(None);
    }
    let created_by = match &entry.created_by {
        None => None,
        Some(None) => Some(None),
        Some(Some(username)) => match run.user(&place.key("created_by"), username).await? {
            Some(user) => Some(Some(user)),
            None => return Ok(None),
        },
    };
    let by_key = existing.as_ref().map(|agent| agent.id.0);
    let stated_id = entry.id.map(|id| id.0);
    let Some(found) = run.identify_fixed(place, "cluster_agents", stated_id, by_key).await? else { return Ok(None) };
    match (found, existing) {
        (Found::Row(_), Some(mut agent)) => {
            let mut changes = Changes::default();
            let mut user = agent.created_by.map(|user| user.0);
            changes.set("created_by", &mut user, created_by.map(|stated| stated.map(|user| user.0)));
            if let Some(created_by) = created_by.filter(|_| !changes.is_empty()) {
                agents::update_creator(&mut *run.conn, agent.id, created_by).await?;
                agent.created_by = created_by;
                run.updated(what, &changes);
            }
            Ok(Some(agent))
        }
        (Found::Row(id) | Found::Nothing(Some(id)), None) => {
            insert(run, Some(id), project, what, entry, created_by.flatten()).await
        }
        (Found::Nothing(_), _) => insert(run, None, project, what, entry, created_by.flatten()).await,
    }
}

async fn insert(
    run: &mut Run<'_>,
    id: Option<i64>,
    project: ProjectId,
    what: &str,
    entry: &StatedAgent,
    created_by: Option<UserId>,
) -> Result<Option<Agent>> {
    let id: AgentId = agents::insert(&mut *run.conn, id, project, &entry.name, created_by).await?;
    run.added(what);
    Ok(Some(Agent { id, name: entry.name.clone(), project, created_by }))
}

async fn bring_tokens(
    run: &mut Run<'_>,
    place: &Place,
    agent: &Agent,
    whose: &str,
    stated: &[AgentToken],
) -> Result<Map<String, Value>> {
    for entry in stated.iter().filter(|token| token.ensure.is_absent()) {
        for (id, name) in agent_tokens::revoke(&mut *run.conn, agent.id, Some(&entry.name)).await? {
            let now = run.now;
            agent_tokens::insert_activity(run.conn, agent, Activity::TokenRevoked, Some(id), now).await?;
            run.removed(&format!("token {name} of {whose}"));
        }
    }
    let mut named = Map::new();
    for (index, entry) in stated.iter().enumerate().filter(|(_, token)| !token.ensure.is_absent()) {
        if let Some(object) = bring_token(run, &place.item(index), agent, whose, entry).await? {
            named.insert(entry.name.clone(), object);
        }
    }
    Ok(named)
}

async fn bring_token(
    run: &mut Run<'_>,
    place: &Place,
    agent: &Agent,
    whose: &str,
    entry: &AgentToken,
) -> Result<Option<Value>> {
    let what = format!("token {} of {whose}", entry.name);
    let existing = agent_tokens::find(&mut *run.conn, agent.id, &entry.name).await?.filter(|row| !row.revoked);
    let by_key = existing.as_ref().map(|row| row.id);
    let stated_id = entry.id.map(|id| id.0);
    let Some(found) = run.identify_fixed(place, "cluster_agent_tokens", stated_id, by_key).await? else {
        return Ok(None);
    };
    let given = match &entry.token {
        Some(given) => match run.given(&place.key("token"), given) {
            Some(token) if agent::is_token(&token) => Some(token),
            Some(_) => {
                let place = place.key("token");
                run.mistake(
                    &place,
                    "must have at least 50 characters after glagent-: kas tells agents apart by half of them",
                );
                return Ok(None);
            }
            None => return Ok(None),
        },
        None => None,
    };
    let minted = (existing.is_none() && given.is_none()).then(|| agent::mint(rand::random()));
    let digest = given.or(minted.clone()).map(|token| run.digest(&token));
    if let Some(digest) = &digest
        && let Some(other) = agent_tokens::find_id(&mut *run.conn, std::slice::from_ref(digest)).await?
        && Some(other) != by_key
    {
        run.mistake(&place.key("token"), format!("is that of token {other} already"));
        return Ok(None);
    }
    let active = agent_tokens::count_active(run.conn, agent.id).await?;
    if existing.is_none() && active >= MOST_TOKENS {
        run.mistake(place, format!("would be the third active one of {whose}; take one back with ensure: absent"));
        return Ok(None);
    }
    let mut row = existing.unwrap_or_else(|| AgentTokenRow {
        id: entry.id.map_or(0, |id| id.0),
        agent: agent.id,
        name: entry.name.clone(),
        token_encrypted: String::new(),
        description: None,
        revoked: false,
    });
    let mut changes = Changes::default();
    if let Some(digest) = digest.filter(|digest| *digest != row.token_encrypted) {
        row.token_encrypted = digest;
        changes.note("token replaced");
    }
    let id = match found {
        Found::Nothing(_) => {
            let id = agent_tokens::insert(&mut *run.conn, agent.project, &row).await?;
            let now = run.now;
            agent_tokens::insert_activity(run.conn, agent, Activity::TokenCreated, Some(id), now).await?;
            run.added(&what);
            id
        }
        Found::Row(id) => {
            if !changes.is_empty() {
                agent_tokens::update(&mut *run.conn, &row).await?;
                run.updated(&what, &changes);
            }
            id
        }
    };
    let mut object = json!({ "id": id });
    if let Some(token) = minted {
        object["token"] = run.minted(&token);
    }
    Ok(Some(object))
}
