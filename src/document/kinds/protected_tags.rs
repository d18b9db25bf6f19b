//! `protected_tags:`, of projects.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::ref_principals::{MAINTAINER, NamedDeployKeys, RefPrincipal, shown};
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, StatedId};
use crate::domain::ids::ProjectId;
use crate::store::Result;
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::sets::protected_refs::{self, AccessLists};

/// A tag, or a pattern with `*`, that not everybody may create.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedTagEntry {
    /// The tag, or a pattern with `*`.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["v*"]))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// Who may create it; of a new protection maintainers, unless stated.
    pub create: Option<Vec<RefPrincipal>>,
    /// `absent` lifts the protection.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A protected tag of the document, and its project.
pub(crate) struct StatedTag<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) project: ProjectId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d ProtectedTagEntry,
}

/// The protected tags that a document states.
pub(crate) struct ProtectedTags {
    known: HashMap<(ProjectId, String), i64>,
    create: AccessLists,
    deploy_keys: NamedDeployKeys,
    ids: NewIds,
    rows: RowBatch<(ProjectId, String)>,
    new_create: BTreeMap<i64, Vec<ProtectedRefAccess>>,
}

impl ProtectedTags {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            create: AccessLists::new(),
            deploy_keys: NamedDeployKeys::default(),
            ids: NewIds::of("protected_tags"),
            rows: RowBatch::default(),
            new_create: BTreeMap::new(),
        }
    }

    async fn write_removals(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            protected_refs::delete_tags(&mut *run.conn, &removals).await?;
        }
        Ok(())
    }
}

impl ObjectKind for ProtectedTags {
    type Entry<'d> = StatedTag<'d>;
    const NOUN: &'static str = "protected tags";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let mut projects: Vec<i64> = entries.iter().map(|tag| tag.project.0).collect();
        projects.dedup();
        for (project, name, id) in protected_refs::list_tags(&mut *run.conn, &projects).await? {
            self.known.insert((project, name), id);
        }
        let ids: Vec<i64> = self.known.values().copied().collect();
        self.create = protected_refs::list_create_access(&mut *run.conn, &ids).await?;
        let principals =
            entries.iter().flat_map(|tag| tag.entry.create.iter().flatten().map(|principal| (tag.project, principal)));
        self.deploy_keys.load(run, principals).await?;
        let is_new = |tag: &&StatedTag<'_>| {
            let is_known = self.known.contains_key(&(tag.project, tag.entry.name.clone()));
            !is_known && tag.entry.id.is_none() && !tag.entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedTag { position: EntryPosition { place, .. }, project, whose, entry } = stated;
        let what = format!("protected tag {} of {whose}", entry.name);
        let key = (*project, entry.name.clone());
        if entry.ensure.is_absent() {
            if let Some(id) = self.known.remove(&key) {
                self.create.remove(&id);
                self.new_create.remove(&id);
                self.rows.remove(id);
                run.removed(&what);
            }
            return Ok(());
        }
        let create = self.deploy_keys.resolve(run, &place.key("create"), *project, entry.create.as_deref()).await?;
        let (stated_id, by_key) = (entry.id.map(|id| id.0), self.known.get(&key).copied());
        if stated_id.is_some() && by_key.is_none() {
            // It may be the id of one that is to go.
            self.write_removals(run).await?;
        }
        let (id, is_new) = match run.identify_fixed_row(place, "protected_tags", stated_id, by_key).await? {
            None => return Ok(()),
            Some(FoundRow::Missing(chosen)) => {
                let id = self.ids.next(run, chosen).await?;
                self.rows.insert(id, key.clone());
                run.added(&what);
                (id, true)
            }
            Some(FoundRow::Existing(id)) => (id, false),
        };
        let usual = || is_new.then(|| vec![ProtectedRefAccess::Role(MAINTAINER)]);
        let who = self.create.entry(id).or_default();
        if let Some(create) = create.or_else(usual).filter(|create| *create != *who) {
            let mut changes = FieldChanges::default();
            changes.set_as("create", who, Some(create), shown);
            self.new_create.insert(id, who.clone());
            if !is_new {
                run.updated(&what, &changes);
            }
        }
        run.name_at(&["projects", whose, "protected_tags", &entry.name], json!({ "id": id }));
        self.known.insert(key, id);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        self.write_removals(run).await?;
        let inserts: Vec<_> =
            self.rows.take_inserts().into_iter().map(|(id, (project, name))| (id, project, name)).collect();
        if !inserts.is_empty() {
            protected_refs::insert_tags(&mut *run.conn, &inserts).await?;
        }
        let create: Vec<_> = std::mem::take(&mut self.new_create).into_iter().collect();
        if !create.is_empty() {
            protected_refs::replace_create_access(run.conn, &create).await?;
        }
        Ok(())
    }
}
