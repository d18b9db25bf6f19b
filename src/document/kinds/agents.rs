//! `agents:`, of projects.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::agent_tokens::AgentTokenEntry;
use super::projects::AppliedProject;
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::place::DocumentPlace;
use crate::document::report::ReportPhase;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, StatedId, stated};
use crate::domain::agent::{self, ClusterAgent};
use crate::domain::ids::{AgentId, ProjectId, UserId};
use crate::store::namespaces::PathOwner;
use crate::store::sets::agents as agent_sets;
use crate::store::{Result, agent_authorizations, agents};

/// An agent for Kubernetes, found by its name in the project that configures it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentEntry {
    /// Lower-case letters, digits and dashes.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// The user in whose name the agent reports; null for nobody, whose reports are refused.
    #[serde(default, deserialize_with = "stated")]
    pub created_by: Option<Option<String>>,
    /// Its tokens, found by their names. Two may be active.
    #[serde(default)]
    pub tokens: Vec<AgentTokenEntry>,
    /// Full paths of projects whose CI jobs may use it; its configuration file says so too, and the later
    /// statement wins.
    pub project_access: Option<Vec<String>>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// An agent of the document, and its project.
#[derive(Debug, Clone)]
pub(crate) struct StatedAgent<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) project: ProjectId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d AgentEntry,
}

impl<'d> StatedAgent<'d> {
    /// The agents of a project.
    pub(crate) fn list(project: &AppliedProject<'d>, part: u8) -> impl Iterator<Item = Self> {
        let place = project.position.place.key("agents");
        let (id, whose, order) = (project.id, project.path(), project.position.order.part(part));
        project.entry.agents.iter().enumerate().map(move |(index, entry)| Self {
            position: EntryPosition { place: place.item(index), order: order.item(index) },
            project: id,
            whose,
            entry,
        })
    }

    /// The same, for what is applied when all projects exist.
    pub(crate) fn access(mut self) -> Self {
        self.position.order.phase = ReportPhase::ProjectAccess;
        self.position.order.part = 0;
        self
    }

    /// What people call it.
    pub(crate) fn what(&self) -> String {
        format!("agent {} of {}", self.entry.name, self.whose)
    }
}

/// The agents that a document states.
pub(crate) struct AgentSet {
    known: HashMap<(ProjectId, String), ClusterAgent>,
    ids: NewIds,
    rows: RowBatch<ClusterAgent>,
}

impl AgentSet {
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), ids: NewIds::of("cluster_agents"), rows: RowBatch::default() }
    }

    /// The agent, where it exists now and its entry has no problem.
    pub(crate) fn find(&self, stated: &StatedAgent<'_>) -> Option<&ClusterAgent> {
        self.known.get(&(stated.project, stated.entry.name.clone()))
    }

    async fn write_removals(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        for id in self.rows.take_removals() {
            agents::delete(&mut *run.conn, AgentId(id)).await?;
        }
        Ok(())
    }

    /// The user who is stated, if any; nothing where there is no such user.
    async fn creator(
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        entry: &AgentEntry,
    ) -> Result<Option<Option<Option<UserId>>>> {
        Ok(match &entry.created_by {
            None => Some(None),
            Some(None) => Some(Some(None)),
            Some(Some(username)) => run.user(&place.key("created_by"), username).await?.map(|user| Some(Some(user))),
        })
    }
}

impl ObjectKind for AgentSet {
    type Entry<'d> = StatedAgent<'d>;
    const NOUN: &'static str = "agents";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let mut projects: Vec<i64> = entries.iter().map(|agent| agent.project.0).collect();
        projects.dedup();
        for agent in agent_sets::list(&mut *run.conn, &projects).await? {
            self.known.insert((agent.project, agent.name.clone()), agent);
        }
        let is_new = |agent: &&StatedAgent<'_>| {
            let entry = agent.entry;
            let good = agent::is_name(&entry.name) && !entry.ensure.is_absent();
            good && entry.id.is_none() && self.find(agent).is_none()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedAgent { position: EntryPosition { place, .. }, project, whose, entry } = stated;
        let what = stated.what();
        let key = (*project, entry.name.clone());
        let existing = self.known.get(&key).cloned();
        if entry.ensure.is_absent() {
            if let Some(agent) = existing {
                self.known.remove(&key);
                self.rows.remove(agent.id.0);
                run.removed(&what);
            }
            return Ok(());
        }
        if !agent::is_name(&entry.name) {
            run.problem(&place.key("name"), "must be lower-case letters, digits and dashes, for example prod");
            return Ok(());
        }
        let Some(creator) = Self::creator(run, place, entry).await? else {
            // Its tokens are not looked at.
            self.known.remove(&key);
            return Ok(());
        };
        let by_key = existing.as_ref().map(|agent| agent.id.0);
        let stated_id = entry.id.map(|id| id.0);
        if stated_id.is_some() && by_key.is_none() {
            // It may be the id of one that is to go.
            self.write_removals(run).await?;
        }
        let found = run.identify_fixed_row(place, "cluster_agents", stated_id, by_key).await?;
        let agent = match (found, existing) {
            (None, _) => {
                self.known.remove(&key);
                return Ok(());
            }
            (Some(FoundRow::Existing(_)), Some(mut agent)) => {
                let mut changes = FieldChanges::default();
                let mut user = agent.created_by.map(|user| user.0);
                changes.set("created_by", &mut user, creator.map(|stated| stated.map(|user| user.0)));
                if !changes.is_empty() {
                    agent.created_by = user.map(UserId);
                    self.rows.update(agent.id.0, agent.clone());
                    run.updated(&what, &changes);
                }
                agent
            }
            (Some(FoundRow::Existing(_)), None) => return Ok(()),
            (Some(FoundRow::Missing(chosen)), _) => {
                let id = AgentId(self.ids.next(run, chosen).await?);
                let name = entry.name.clone();
                let agent = ClusterAgent { id, name, project: *project, created_by: creator.flatten() };
                self.rows.insert(id.0, agent.clone());
                run.added(&what);
                agent
            }
        };
        run.name_at(&["projects", whose, "agents", &entry.name], json!({ "id": agent.id.0 }));
        self.known.insert(key, agent);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        self.write_removals(run).await?;
        for (_, agent) in self.rows.take_updates() {
            agents::update_creator(&mut *run.conn, agent.id, agent.created_by).await?;
        }
        let inserts: Vec<ClusterAgent> = self.rows.take_inserts().into_iter().map(|(_, agent)| agent).collect();
        if !inserts.is_empty() {
            agent_sets::insert(&mut *run.conn, &inserts).await?;
        }
        Ok(())
    }
}

/// Which projects' CI jobs may use agents, when all projects exist. Any project may be stated, also one that the
/// agent's own configuration could not open.
#[derive(Default)]
pub(crate) struct AgentAccess {
    agents: HashMap<(ProjectId, String), ClusterAgent>,
    opened: HashMap<AgentId, Vec<(ProjectId, String)>>,
}

impl ObjectKind for AgentAccess {
    type Entry<'d> = StatedAgent<'d>;
    const NOUN: &'static str = "agents' projects";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let mut projects: Vec<i64> = entries.iter().map(|agent| agent.project.0).collect();
        projects.dedup();
        for agent in agent_sets::list(&mut *run.conn, &projects).await? {
            self.agents.insert((agent.project, agent.name.clone()), agent);
        }
        let ids: Vec<i64> = self.agents.values().map(|agent| agent.id.0).collect();
        self.opened = agent_sets::list_ci_projects(&mut *run.conn, &ids).await?;
        let paths = entries.iter().flat_map(|agent| agent.entry.project_access.iter().flatten());
        run.directory.load(run.conn, std::iter::empty(), paths.map(String::as_str)).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedAgent { position: EntryPosition { place, .. }, project, whose, entry } = stated;
        let Some(paths) = entry.project_access.as_ref().filter(|_| !entry.ensure.is_absent()) else { return Ok(()) };
        let Some(agent) = self.agents.get(&(*project, entry.name.clone())) else { return Ok(()) };
        let place = place.key("project_access");
        let mut projects = Vec::new();
        for (index, path) in paths.iter().enumerate() {
            match run.path_owner(path).await? {
                Some(PathOwner::Project(id)) => projects.push(id),
                _ if run.has_failed(path) => {}
                _ => run.problem(&place.item(index), format!("there is no project {path}")),
            }
        }
        projects.sort_unstable();
        projects.dedup();
        let before = self.opened.get(&agent.id).map(Vec::as_slice).unwrap_or_default();
        let mut known: Vec<ProjectId> = before.iter().map(|(project, _)| *project).collect();
        known.sort_unstable();
        if known == projects {
            return Ok(());
        }
        agent_authorizations::set_ci_projects(&mut *run.conn, agent.id, &projects).await?;
        let after = agent_authorizations::list_ci_projects(&mut *run.conn, agent.id).await?;
        let before: Vec<String> = before.iter().map(|(_, path)| path.clone()).collect();
        run.changed(&format!("agent {} of {whose} project_access {} → {}", agent.name, show(&before), show(&after)));
        Ok(())
    }

    async fn write(&mut self, _: &mut ApplyRun<'_>) -> Result<()> {
        Ok(())
    }
}

fn show(paths: &[String]) -> String {
    if paths.is_empty() { "none".to_owned() } else { paths.join(" ") }
}
