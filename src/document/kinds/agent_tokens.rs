//! `tokens:`, of agents.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::agents::StatedAgent;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, GivenValue, StatedId};
use crate::domain::agent::{self, ClusterAgent, MOST_TOKENS};
use crate::domain::ids::{AgentId, ProjectId};
use crate::store::Result;
use crate::store::agent_tokens::{self, AgentActivity, AgentTokenRow, WhichTokens};
use crate::store::sets::agents as agent_sets;

/// A token that an agent shows.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentTokenEntry {
    /// What people call it.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The token itself, of 50 characters after `glagent-` at least. Left out, it is made and printed once.
    pub token: Option<GivenValue>,
    /// `absent` takes it back, for good: a token of that name would be another one.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A token of the document, and its agent.
pub(crate) struct StatedAgentToken<'d> {
    pub(crate) position: EntryPosition,
    agent: ClusterAgent,
    project_path: &'d str,
    whose: String,
    entry: &'d AgentTokenEntry,
    /// The token, where it is given.
    given: Option<String>,
}

impl<'d> StatedAgentToken<'d> {
    /// The tokens of an agent, those that are to go first. One that is nowhere is a problem.
    pub(crate) fn list(run: &mut ApplyRun<'_>, stated: &StatedAgent<'d>, agent: &ClusterAgent) -> Vec<Self> {
        let EntryPosition { place, order } = &stated.position;
        let place = place.key("tokens");
        let mut tokens: Vec<Self> = Vec::new();
        for (index, entry) in stated.entry.tokens.iter().enumerate() {
            let position = EntryPosition { place: place.item(index), order: *order };
            let token = entry.token.as_ref().filter(|_| !entry.ensure.is_absent());
            let given = token.and_then(|given| run.given(&position.place.key("token"), given));
            let (agent, project_path, whose) = (agent.clone(), stated.whose, stated.what());
            tokens.push(Self { position, agent, project_path, whose, entry, given });
        }
        tokens.sort_by_key(|token| !token.entry.ensure.is_absent());
        tokens
    }
}

/// The tokens of agents that a document states.
pub(crate) struct AgentTokens {
    /// The active ones.
    known: HashMap<(AgentId, String), AgentTokenRow>,
    active: HashMap<AgentId, i64>,
    by_digest: HashMap<String, i64>,
    ids: NewIds,
    rows: RowBatch<(ProjectId, AgentTokenRow)>,
}

impl AgentTokens {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            active: HashMap::new(),
            by_digest: HashMap::new(),
            ids: NewIds::of("cluster_agent_tokens"),
            rows: RowBatch::default(),
        }
    }

    async fn revoke(&mut self, run: &mut ApplyRun<'_>, stated: &StatedAgentToken<'_>) -> Result<()> {
        let StatedAgentToken { agent, whose, entry, .. } = stated;
        let key = (agent.id, entry.name.clone());
        if self.known.remove(&key).is_none() {
            return Ok(());
        }
        for (id, name) in agent_tokens::revoke(&mut *run.conn, agent.id, WhichTokens::Named(&entry.name)).await? {
            agent_tokens::insert_activity(run.conn, agent, AgentActivity::TokenRevoked, Some(id), run.now).await?;
            *self.active.entry(agent.id).or_default() -= 1;
            run.removed(&format!("token {name} of {whose}"));
        }
        Ok(())
    }

    async fn load_active(&mut self, run: &mut ApplyRun<'_>, agents: &[i64]) -> Result<()> {
        self.active.clear();
        self.known.clear();
        for row in agent_sets::list_tokens(&mut *run.conn, agents).await?.into_iter().filter(|row| !row.revoked) {
            *self.active.entry(row.agent).or_default() += 1;
            self.known.entry((row.agent, row.name.clone())).or_insert(row);
        }
        Ok(())
    }
}

impl ObjectKind for AgentTokens {
    type Entry<'d> = StatedAgentToken<'d>;
    const NOUN: &'static str = "agents' tokens";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let mut agents: Vec<i64> = entries.iter().map(|token| token.agent.id.0).collect();
        agents.dedup();
        self.load_active(run, &agents).await?;
        let gets_one = |token: &&StatedAgentToken<'_>| {
            let is_known = self.known.contains_key(&(token.agent.id, token.entry.name.clone()));
            !is_known && !token.entry.ensure.is_absent()
        };
        let mut receivers: Vec<i64> = entries.iter().filter(gets_one).map(|token| token.agent.id.0).collect();
        receivers.dedup();
        if !receivers.is_empty() {
            // Counted again under the lock: somebody may have made one meanwhile.
            agent_sets::lock(&mut *run.conn, &receivers).await?;
            self.load_active(run, &agents).await?;
        }
        let given = entries.iter().filter_map(|token| token.given.as_ref());
        let digests: Vec<String> = given.map(|token| run.digest(token)).collect();
        self.by_digest = agent_sets::list_token_ids(&mut *run.conn, &digests).await?;
        let is_new = |token: &&StatedAgentToken<'_>| {
            let entry = token.entry;
            let is_known = self.known.contains_key(&(token.agent.id, entry.name.clone()));
            !is_known && entry.id.is_none() && !entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedAgentToken { position: EntryPosition { place, .. }, agent, whose, entry, given, .. } = stated;
        if entry.ensure.is_absent() {
            return self.revoke(run, stated).await;
        }
        let what = format!("token {} of {whose}", entry.name);
        let key = (agent.id, entry.name.clone());
        let existing = self.known.get(&key).cloned();
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = entry.id.map(|id| id.0);
        let table = "cluster_agent_tokens";
        let Some(found) = run.identify_fixed_row(place, table, stated_id, by_key).await? else { return Ok(()) };
        match given {
            None if entry.token.is_some() => return Ok(()),
            Some(token) if !agent::is_token(token) => {
                let reason = "must have at least 50 characters after glagent-: kas tells agents apart by half of them";
                run.problem(&place.key("token"), reason);
                return Ok(());
            }
            _ => {}
        }
        let minted = (existing.is_none() && given.is_none()).then(|| agent::mint(rand::random()));
        let digest = given.as_ref().or(minted.as_ref()).map(|token| run.digest(token));
        if let Some(digest) = &digest
            && let Some(other) = self.by_digest.get(digest)
            && Some(*other) != by_key
        {
            run.problem(&place.key("token"), format!("is that of token {other} already"));
            return Ok(());
        }
        let active = self.active.entry(agent.id).or_default();
        if existing.is_none() && *active >= MOST_TOKENS {
            run.problem(place, format!("would be the third active one of {whose}; take one back with ensure: absent"));
            return Ok(());
        }
        let mut row = existing.unwrap_or_else(|| AgentTokenRow {
            id: 0,
            agent: agent.id,
            name: entry.name.clone(),
            token_encrypted: String::new(),
            description: None,
            revoked: false,
        });
        let mut changes = FieldChanges::default();
        if let Some(digest) = digest.filter(|digest| *digest != row.token_encrypted) {
            row.token_encrypted = digest;
            changes.note("token replaced");
        }
        match found {
            FoundRow::Missing(chosen) => {
                *active += 1;
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, (agent.project, row.clone()));
                run.added(&what);
            }
            FoundRow::Existing(id) if !changes.is_empty() => {
                self.rows.update(id, (agent.project, row.clone()));
                run.updated(&what, &changes);
            }
            FoundRow::Existing(_) => {}
        }
        let mut object = json!({ "id": row.id });
        if let Some(token) = minted {
            object["token"] = run.minted(&token);
        }
        run.name_at(&["projects", stated.project_path, "agents", &agent.name, "tokens", &entry.name], object);
        self.by_digest.insert(row.token_encrypted.clone(), row.id);
        self.known.insert(key, row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        for (_, (_, row)) in self.rows.take_updates() {
            agent_tokens::update_digest(&mut *run.conn, &row).await?;
        }
        let inserts: Vec<_> = self.rows.take_inserts().into_iter().map(|(_, row)| row).collect();
        if !inserts.is_empty() {
            agent_sets::insert_tokens(run.conn, &inserts, run.now).await?;
        }
        Ok(())
    }
}
