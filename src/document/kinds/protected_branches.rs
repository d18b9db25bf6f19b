//! `protected_branches:`, of projects.

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
use crate::store::protected_refs::{ProtectedBranchRow, ProtectedRefAccess};
use crate::store::sets::protected_refs::{self, AccessLists, NewBranch};

/// A branch, or a pattern with `*`, that not everybody may push to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedBranchEntry {
    /// The branch, or a pattern with `*`.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["release/*"]))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<StatedId>,
    /// Who may push; of a new protection maintainers, unless stated.
    pub push: Option<Vec<RefPrincipal>>,
    /// Who may merge; of a new protection maintainers, unless stated.
    pub merge: Option<Vec<RefPrincipal>>,
    /// Whether those who may push may rewrite history.
    pub allow_force_push: Option<bool>,
    /// `absent` lifts the protection.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A protected branch of the document, and its project.
pub(crate) struct StatedBranch<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) project: ProjectId,
    pub(crate) whose: &'d str,
    pub(crate) entry: &'d ProtectedBranchEntry,
}

/// The protected branches that a document states.
pub(crate) struct ProtectedBranches {
    known: HashMap<(ProjectId, String), ProtectedBranchRow>,
    push: AccessLists,
    merge: AccessLists,
    deploy_keys: NamedDeployKeys,
    ids: NewIds,
    rows: RowBatch<NewBranch>,
    new_push: BTreeMap<i64, Vec<ProtectedRefAccess>>,
    new_merge: BTreeMap<i64, Vec<ProtectedRefAccess>>,
}

impl ProtectedBranches {
    pub(crate) fn new() -> Self {
        Self {
            known: HashMap::new(),
            push: AccessLists::new(),
            merge: AccessLists::new(),
            deploy_keys: NamedDeployKeys::default(),
            ids: NewIds::of("protected_branches"),
            rows: RowBatch::default(),
            new_push: BTreeMap::new(),
            new_merge: BTreeMap::new(),
        }
    }

    fn remove(&mut self, run: &mut ApplyRun<'_>, key: &(ProjectId, String), what: &str) {
        if let Some(row) = self.known.remove(key) {
            self.push.remove(&row.id);
            self.merge.remove(&row.id);
            self.new_push.remove(&row.id);
            self.new_merge.remove(&row.id);
            self.rows.remove(row.id);
            run.removed(what);
        }
    }

    async fn write_removals(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let removals = self.rows.take_removals();
        if !removals.is_empty() {
            protected_refs::delete_branches(&mut *run.conn, &removals).await?;
        }
        Ok(())
    }
}

impl ObjectKind for ProtectedBranches {
    type Entry<'d> = StatedBranch<'d>;
    const NOUN: &'static str = "protected branches";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let mut projects: Vec<i64> = entries.iter().map(|branch| branch.project.0).collect();
        projects.dedup();
        for (project, name, row) in protected_refs::list_branches(&mut *run.conn, &projects).await? {
            self.known.entry((project, name)).or_insert(row);
        }
        let ids: Vec<i64> = self.known.values().map(|row| row.id).collect();
        self.push = protected_refs::list_push_access(&mut *run.conn, &ids).await?;
        self.merge = protected_refs::list_merge_access(&mut *run.conn, &ids).await?;
        let principals = entries.iter().flat_map(|branch| {
            let lists = [&branch.entry.push, &branch.entry.merge];
            lists.into_iter().flatten().flatten().map(|principal| (branch.project, principal))
        });
        self.deploy_keys.load(run, principals).await?;
        let is_new = |branch: &&StatedBranch<'_>| {
            let is_known = self.known.contains_key(&(branch.project, branch.entry.name.clone()));
            !is_known && branch.entry.id.is_none() && !branch.entry.ensure.is_absent()
        };
        let new = entries.iter().filter(is_new).count();
        self.ids.reserve(run, new).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, stated: &Self::Entry<'_>) -> Result<()> {
        let StatedBranch { position: EntryPosition { place, .. }, project, whose, entry } = stated;
        let what = format!("protected branch {} of {whose}", entry.name);
        let key = (*project, entry.name.clone());
        if entry.ensure.is_absent() {
            self.remove(run, &key, &what);
            return Ok(());
        }
        let push = self.deploy_keys.resolve(run, &place.key("push"), *project, entry.push.as_deref()).await?;
        let merge = self.deploy_keys.resolve(run, &place.key("merge"), *project, entry.merge.as_deref()).await?;
        for (index, _) in
            merge.iter().flatten().enumerate().filter(|(_, one)| matches!(one, ProtectedRefAccess::DeployKey(_)))
        {
            run.problem(&place.key("merge").item(index), "is a deploy key, which pushes and never merges");
        }
        let existing = self.known.get(&key).cloned();
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = entry.id.map(|id| id.0);
        if stated_id.is_some() && by_key.is_none() {
            // It may be the id of one that is to go.
            self.write_removals(run).await?;
        }
        let Some(found) = run.identify_fixed_row(place, "protected_branches", stated_id, by_key).await? else {
            return Ok(());
        };
        let mut row = existing.unwrap_or_default();
        let mut changes = FieldChanges::default();
        changes.set("allow_force_push", &mut row.allow_force_push, entry.allow_force_push);
        let written = |row: &ProtectedBranchRow| NewBranch {
            project: *project,
            name: entry.name.clone(),
            allow_force_push: row.allow_force_push,
        };
        let is_new = match found {
            FoundRow::Missing(chosen) => {
                row.id = self.ids.next(run, chosen).await?;
                self.rows.insert(row.id, written(&row));
                run.added(&what);
                true
            }
            FoundRow::Existing(id) => {
                if !changes.is_empty() {
                    self.rows.update(id, written(&row));
                }
                false
            }
        };
        let usual = || is_new.then(|| vec![ProtectedRefAccess::Role(MAINTAINER)]);
        for (word, stated, known, new) in
            [("push", push, &mut self.push, &mut self.new_push), ("merge", merge, &mut self.merge, &mut self.new_merge)]
        {
            let who = known.entry(row.id).or_default();
            if let Some(stated) = stated.or_else(usual).filter(|stated| *stated != *who) {
                changes.set_as(word, who, Some(stated), shown);
                new.insert(row.id, who.clone());
            }
        }
        if !is_new && !changes.is_empty() {
            run.updated(&what, &changes);
        }
        run.name_at(&["projects", whose, "protected_branches", &entry.name], json!({ "id": row.id }));
        self.known.insert(key, row);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        self.write_removals(run).await?;
        let updates = self.rows.take_updates();
        if !updates.is_empty() {
            let updates: Vec<_> = updates.into_iter().map(|(id, row)| (id, row.allow_force_push)).collect();
            protected_refs::update_branches(&mut *run.conn, &updates).await?;
        }
        let inserts = self.rows.take_inserts();
        if !inserts.is_empty() {
            protected_refs::insert_branches(&mut *run.conn, &inserts).await?;
        }
        let push: Vec<_> = std::mem::take(&mut self.new_push).into_iter().collect();
        if !push.is_empty() {
            protected_refs::replace_push_access(run.conn, &push).await?;
        }
        let merge: Vec<_> = std::mem::take(&mut self.new_merge).into_iter().collect();
        if !merge.is_empty() {
            protected_refs::replace_merge_access(run.conn, &merge).await?;
        }
        Ok(())
    }
}
