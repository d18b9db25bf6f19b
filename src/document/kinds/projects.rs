//! `projects:`, in groups and personal namespaces: their rows and features.

use std::collections::{BTreeMap, HashMap, HashSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::access_tokens::AccessTokenEntry;
use super::agents::AgentEntry;
use super::deploy_keys::DeployKeyEntry;
use super::deploy_tokens::DeployTokenEntry;
use super::error_tracking::{self, ErrorTrackingEntry};
use super::hooks;
use super::members::{MembershipEntry, check_members};
use super::merge_requests;
use super::names_within::NamesWithin;
use super::protected_branches::ProtectedBranchEntry;
use super::protected_tags::ProtectedTagEntry;
use super::push_rules::{self, PushRulesEntry};
use super::security_policies::{self, SecurityPoliciesEntry};
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, NewIds, ObjectKind, RowBatch};
use crate::document::place::DocumentPlace;
use crate::document::run::{ApplyRun, FoundRow};
use crate::document::words::{Ensure, FeatureWord, StatedId, VisibilityWord, stated};
use crate::domain::full_path::{PathPosition, check_name, split};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::services::{delete_places, place_projects};
use crate::store::members::MemberSource;
use crate::store::namespaces::PathOwner;
use crate::store::projects::{FeaturesRow, ProjectRow};
use crate::store::push_rules::PushRuleOwner;
use crate::store::security_policies as policy_files;
use crate::store::sets::groups as group_sets;
use crate::store::sets::projects::{self as project_sets, ProjectRecord};
use crate::store::{Result, settings, web_hooks};

/// A project, found by its full path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectEntry {
    /// The full path. With an id that exists, another path renames or moves the project.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["gnuwget/wget2"]))]
    pub path: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<StatedId>,
    /// The name that people read; the last part of the path where it is left out.
    #[schemars(length(min = 1, max = 255))]
    pub name: Option<String>,
    /// A sentence or two.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(max = 2000))]
    pub description: Option<Option<String>>,
    /// The user who made it.
    pub creator: Option<String>,
    /// Who may see it; of a new project what the instance and the group allow, unless stated.
    pub visibility: Option<VisibilityWord>,
    /// The Gitaly storage of its repository.
    #[schemars(length(min = 1, max = 255))]
    pub storage: Option<String>,
    /// Whether the repository exists on its storage.
    pub repository: Option<RepositoryPresence>,
    /// Whether the wiki's repository exists on the same storage.
    pub wiki_repository: Option<RepositoryPresence>,
    // A repository knows its default branch, and Gitaly is asked for it: no column holds one.
    /// The branch that the repository is created with, and that is taken for its default one until it was asked.
    #[schemars(length(min = 1, max = 255))]
    pub default_branch: Option<String>,
    /// Nobody pushes, and pages say so.
    pub archived: Option<bool>,
    /// Nobody finds it, administrators included.
    pub hidden: Option<bool>,
    /// Nobody pushes.
    pub repository_read_only: Option<bool>,
    /// Bytes; 0 is no limit, null what the group says.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(range(min = 0))]
    pub repository_size_limit: Option<Option<i64>>,
    /// Whether LFS is offered; null for what the group says.
    #[serde(default, deserialize_with = "stated")]
    pub lfs_enabled: Option<Option<bool>>,
    /// Whether a push prints a link to a merge request.
    pub printing_merge_request_link_enabled: Option<bool>,
    /// Who may use which part of it.
    pub features: Option<FeaturesEntry>,
    /// The full path of the project that it is a fork of, whose LFS objects it may have; null for none.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["gnuwget/wget2"]))]
    pub forked_from: Option<Option<String>>,
    /// Members of the project alone.
    #[serde(default)]
    pub members: BTreeMap<String, MembershipEntry>,
    /// Groups whose members get in.
    #[serde(default)]
    pub shared_with: BTreeMap<String, MembershipEntry>,
    /// Keys that fetch from it, and may push to it.
    #[serde(default)]
    pub deploy_keys: Vec<DeployKeyEntry>,
    /// Tokens that fetch from it and are nobody's, found by their name.
    #[serde(default)]
    pub deploy_tokens: Vec<DeployTokenEntry>,
    /// Tokens that are members, found by their name.
    #[serde(default)]
    pub access_tokens: Vec<AccessTokenEntry>,
    /// Branches that not everybody may push to.
    #[serde(default)]
    pub protected_branches: Vec<ProtectedBranchEntry>,
    /// Tags that not everybody may create.
    #[serde(default)]
    pub protected_tags: Vec<ProtectedTagEntry>,
    /// Merge requests into it, as far as pushes depend on them.
    #[serde(default)]
    pub merge_requests: Vec<merge_requests::MergeRequestEntry>,
    /// What commits and pushes must be like.
    pub push_rules: Option<PushRulesEntry>,
    /// Who is told of pushes.
    #[serde(default)]
    pub hooks: Vec<hooks::HookEntry>,
    /// Whether it takes errors of its users' programs.
    pub error_tracking: Option<ErrorTrackingEntry>,
    /// Agents for Kubernetes that it configures.
    #[serde(default)]
    pub agents: Vec<AgentEntry>,
    /// Policies that have scans run, or keep branches from being pushed to.
    pub security_policies: Option<SecurityPoliciesEntry>,
    /// `absent` removes the project and all that is in it; its repository stays on the storage.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Whether something exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum RepositoryPresence {
    Present,
    Absent,
}

/// Who may use which part of a project.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct FeaturesEntry {
    pub repository: Option<FeatureWord>,
    pub wiki: Option<FeatureWord>,
    pub snippets: Option<FeatureWord>,
    pub merge_requests: Option<FeatureWord>,
}

/// A project of the document, and where it stands.
pub(crate) struct StatedProject<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) entry: &'d ProjectEntry,
}

/// A project as its parts need it.
#[derive(Debug, Clone)]
pub(crate) struct AppliedProject<'d> {
    pub(crate) position: EntryPosition,
    pub(crate) entry: &'d ProjectEntry,
    pub(crate) id: ProjectId,
    pub(crate) project_namespace: NamespaceId,
    pub(crate) storage: String,
    pub(crate) creator: Option<UserId>,
}

impl<'d> AppliedProject<'d> {
    /// Its full path.
    pub(crate) fn path(&self) -> &'d str {
        &self.entry.path
    }

    /// What one is a member of.
    pub(crate) fn member_source(&self) -> MemberSource {
        MemberSource::Project(self.id, self.project_namespace)
    }
}

/// The projects that a document states: their rows and features.
pub(crate) struct ProjectSet {
    records: HashMap<ProjectId, ProjectRecord>,
    names: NamesWithin,
    /// How visible the groups are that the projects are in.
    widest: HashMap<NamespaceId, i32>,
    usual_visibility: i32,
    ids: NewIds,
    namespace_ids: NewIds,
    rows: RowBatch<(NamespaceId, ProjectRow)>,
    features: BTreeMap<i64, FeaturesRow>,
    applied: HashMap<String, ProjectId>,
}

impl ProjectSet {
    pub(crate) fn new() -> Self {
        Self {
            records: HashMap::new(),
            names: NamesWithin::of("Project"),
            widest: HashMap::new(),
            usual_visibility: 0,
            ids: NewIds::of("projects"),
            namespace_ids: NewIds::of("namespaces"),
            rows: RowBatch::default(),
            features: BTreeMap::new(),
            applied: HashMap::new(),
        }
    }

    /// Those of the projects that exist now; the others have problems.
    pub(crate) fn applied<'d>(&self, projects: &[StatedProject<'d>]) -> Vec<AppliedProject<'d>> {
        let applied = |project: &StatedProject<'d>| {
            let id = *self.applied.get(&project.entry.path.to_lowercase())?;
            let record = self.records.get(&id)?;
            Some(AppliedProject {
                position: project.position.clone(),
                entry: project.entry,
                id,
                project_namespace: record.project_namespace,
                storage: record.row.repository_storage.clone(),
                creator: record.row.creator_id.map(UserId),
            })
        };
        // A path that stands twice is a problem already.
        let mut seen = HashSet::new();
        projects.iter().filter_map(applied).filter(|project| seen.insert(project.id)).collect()
    }

    /// The namespace that the path puts the project into.
    async fn namespace(
        &self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        path: &str,
    ) -> Result<Option<NamespaceId>> {
        let (namespace_path, last) = split(path);
        let place = place.key("path");
        let Some(namespace_path) = namespace_path else {
            let reason = "has no namespace; a project is in a group or with a user, for example acme/web";
            run.problem(&place, reason);
            return Ok(None);
        };
        if let Err(reason) = check_name(last, PathPosition::Project) {
            run.problem(&place, reason.to_string());
            return Ok(None);
        }
        match run.path_owner(namespace_path).await? {
            Some(PathOwner::Group(id) | PathOwner::Personal(id)) => return Ok(Some(id)),
            Some(PathOwner::Project(_)) => {
                run.problem(&place, format!("{namespace_path} is a project, and no project can be in it"));
            }
            None if run.has_failed(namespace_path) => {}
            None => run.problem(&place, format!("there is no group or user {namespace_path}")),
        }
        Ok(None)
    }

    /// Compares the row with the entry; the answer is the project's id and whether it is new.
    async fn diff_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        project: &ProjectEntry,
    ) -> Result<Option<(ProjectId, bool)>> {
        let Some(namespace) = self.namespace(run, place, &project.path).await? else { return Ok(None) };
        let by_path = match run.path_owner(&project.path).await? {
            Some(PathOwner::Project(id)) => Some(id.0),
            Some(_) => {
                run.problem(&place.key("path"), format!("{} is a group", project.path));
                return Ok(None);
            }
            None => None,
        };
        let creator = match &project.creator {
            Some(username) => run.user(&place.key("creator"), username).await?,
            None => None,
        };
        let stated = project.id.map(|id| id.0);
        let taken = stated.is_some_and(|id| self.records.contains_key(&ProjectId(id)));
        let Some(found) = run.identify(place, stated, by_path, taken) else { return Ok(None) };
        let existing = match found {
            FoundRow::Existing(id) => self.find_record(run, ProjectId(id)).await?.map(|record| (ProjectId(id), record)),
            FoundRow::Missing(_) => None,
        };
        let last = split(&project.path).1;
        let mut row = match &existing {
            Some((_, record)) => record.row.clone(),
            None => self.new_row(namespace, last),
        };
        let mut changes = FieldChanges::default();
        if let Some((_, record)) = &existing {
            changes.set("path", &mut record.path.clone(), Some(project.path.clone()));
        }
        last.clone_into(&mut row.path);
        row.namespace_id = namespace.0;
        changes.append(project.put_into(&mut row));
        changes.set("creator", &mut row.creator_id, creator.map(|user| Some(user.0)));
        let own = existing.as_ref().map(|(_, record)| record.project_namespace);
        if !self.name_is_free(run, place, project, &row, own).await? {
            return Ok(None);
        }
        match existing {
            None => {
                let chosen = if let FoundRow::Missing(chosen) = found { chosen } else { None };
                self.insert_row(run, place, project, chosen, row).await.map(|id| Some((id, true)))
            }
            Some((id, record)) => {
                if !changes.is_empty() {
                    self.update_row(run, place, id, record, project, row).await?;
                    run.updated(&format!("project {}", project.path), &changes);
                }
                Ok(Some((id, false)))
            }
        }
    }

    /// The project, also where it is known by its path alone.
    async fn find_record(&mut self, run: &mut ApplyRun<'_>, id: ProjectId) -> Result<Option<ProjectRecord>> {
        if !self.records.contains_key(&id) {
            self.records.extend(project_sets::list(&mut *run.conn, &[id.0]).await?);
        }
        Ok(self.records.get(&id).cloned())
    }

    async fn name_is_free(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        project: &ProjectEntry,
        row: &ProjectRow,
        own: Option<NamespaceId>,
    ) -> Result<bool> {
        let other = self.names.find(run, Some(row.namespace_id), &row.name).await?;
        if other.is_none() || other == own {
            return Ok(true);
        }
        let namespace = split(&project.path).0.unwrap_or_default();
        run.problem(&place.key("name"), format!("{} is the name of another project of {namespace}", row.name));
        Ok(false)
    }

    async fn insert_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        project: &ProjectEntry,
        chosen: Option<i64>,
        row: ProjectRow,
    ) -> Result<ProjectId> {
        let id = ProjectId(self.ids.next(run, chosen).await?);
        let project_namespace = NamespaceId(self.namespace_ids.next(run, None).await?);
        self.names.set(Some(row.namespace_id), &row.name, project_namespace);
        run.directory.set_owner(&project.path, PathOwner::Project(id));
        run.touch(NamespaceId(row.namespace_id));
        run.check_visibility(project_namespace, place);
        run.added(&format!("project {}", project.path));
        self.features.insert(id.0, FeaturesRow::default());
        self.rows.insert(id.0, (project_namespace, row.clone()));
        let features = FeaturesRow::default();
        let record = ProjectRecord { row, project_namespace, path: project.path.clone(), features };
        self.records.insert(id, record);
        Ok(id)
    }

    async fn update_row(
        &mut self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        id: ProjectId,
        record: ProjectRecord,
        project: &ProjectEntry,
        row: ProjectRow,
    ) -> Result<()> {
        let ProjectRecord { row: before, project_namespace, path: path_before, features } = record;
        let moved = row.namespace_id != before.namespace_id;
        if moved || row.path != before.path || row.name != before.name {
            // What was made by this run stands before what moves beside it.
            self.write(run).await?;
            if let Some(users) = place_projects::relocate(run.conn, (id, project_namespace), &before, &row).await? {
                run.touch_users(users);
                run.touch(project_namespace);
            }
            self.names.forget(Some(before.namespace_id), &before.name);
            self.names.set(Some(row.namespace_id), &row.name, project_namespace);
            run.directory.forget_below(&path_before);
            run.directory.set_owner(&project.path, PathOwner::Project(id));
        }
        self.rows.change(id.0, (project_namespace, before.clone()), (project_namespace, row.clone()));
        if moved || row.visibility_level != before.visibility_level {
            run.check_visibility(project_namespace, place);
        }
        let record = ProjectRecord { row, project_namespace, path: project.path.clone(), features };
        self.records.insert(id, record);
        Ok(())
    }

    /// What a project is that the document says nothing about: as visible as the instance wants and the group allows.
    fn new_row(&self, namespace: NamespaceId, last: &str) -> ProjectRow {
        let usual = self.usual_visibility;
        let widest = self.widest.get(&namespace).copied().unwrap_or(usual);
        ProjectRow { name: last.to_owned(), ..ProjectRow::new(namespace, "default", usual.min(widest)) }
    }

    fn diff_features(&mut self, run: &mut ApplyRun<'_>, id: ProjectId, project: &ProjectEntry, is_new: bool) {
        let (Some(features), Some(record)) = (&project.features, self.records.get_mut(&id)) else { return };
        let row = &mut record.features;
        let mut changes = FieldChanges::default();
        changes.word("repository", &mut row.repository_access_level, features.repository);
        changes.optional_word("wiki", &mut row.wiki_access_level, features.wiki);
        changes.word("snippets", &mut row.snippets_access_level, features.snippets);
        changes.optional_word("merge_requests", &mut row.merge_requests_access_level, features.merge_requests);
        if !changes.is_empty() {
            self.features.insert(id.0, row.clone());
            if !is_new {
                run.updated(&format!("features of {}", project.path), &changes);
            }
        }
    }
}

impl ObjectKind for ProjectSet {
    type Entry<'d> = StatedProject<'d>;
    const NOUN: &'static str = "projects";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let projects = || entries.iter().map(|project| project.entry);
        let paths = projects().flat_map(|project| std::iter::once(&*project.path).chain(split(&project.path).0));
        let creators = projects().filter_map(|project| project.creator.as_deref());
        run.directory.load(run.conn, creators, paths).await?;
        let owners = projects().filter_map(|project| run.directory.known_owner(&project.path));
        let owned = owners.filter_map(|owner| if let PathOwner::Project(id) = owner { Some(id.0) } else { None });
        let stated = projects().filter_map(|project| project.id).map(|id| id.0);
        let ids: HashSet<i64> = owned.chain(stated).collect();
        self.records = project_sets::list(&mut *run.conn, &ids.into_iter().collect::<Vec<_>>()).await?;
        let mut names = Vec::new();
        for project in projects() {
            let (namespace, last) = split(&project.path);
            if let Some(PathOwner::Group(id) | PathOwner::Personal(id)) =
                namespace.and_then(|path| run.directory.known_owner(path))
            {
                names.push((id.0, project.name.clone().unwrap_or_else(|| last.to_owned())));
            }
        }
        // The names of projects whose names the document leaves out.
        names.extend(self.records.values().map(|record| (record.row.namespace_id, record.row.name.clone())));
        let namespaces: HashSet<i64> = names.iter().map(|(namespace, _)| *namespace).collect();
        self.names.load(run, names).await?;
        self.widest =
            group_sets::list_visibilities(&mut *run.conn, &namespaces.into_iter().collect::<Vec<_>>()).await?;
        self.usual_visibility = settings::find(&mut *run.conn).await?.default_project_visibility;
        let new = projects().filter(|project| run.directory.known_owner(&project.path).is_none());
        let (chosen, numbered): (Vec<_>, Vec<_>) = new.partition(|project| project.id.is_some());
        let made =
            chosen.iter().filter_map(|project| project.id).filter(|id| !self.records.contains_key(&ProjectId(id.0)));
        let made = made.count();
        self.ids.reserve(run, numbered.len()).await?;
        self.namespace_ids.reserve(run, numbered.len() + made).await
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, project: &Self::Entry<'_>) -> Result<()> {
        let StatedProject { position: EntryPosition { place, .. }, entry } = project;
        let Some((id, is_new)) = self.diff_row(run, place, entry).await? else {
            run.failed(&entry.path);
            for (index, key) in entry.deploy_keys.iter().enumerate() {
                if let Some(given) = &key.key {
                    run.ssh_key(&place.key("deploy_keys").item(index).key("key"), given);
                }
            }
            return check_members(run, place, &entry.members, &entry.shared_with).await;
        };
        self.diff_features(run, id, entry, is_new);
        self.applied.insert(entry.path.to_lowercase(), id);
        run.name("projects", &entry.path, json!({ "id": id.0 }));
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let placed = |rows: Vec<(i64, (NamespaceId, ProjectRow))>| -> Vec<project_sets::PlacedProject> {
            rows.into_iter().map(|(id, (namespace, row))| (ProjectId(id), namespace, row)).collect()
        };
        let changes = self.rows.take_changes().into_iter();
        let updates: Vec<_> = changes.map(|(id, (_, before), (_, row))| (id, before, row)).collect();
        if !updates.is_empty() {
            project_sets::update(run.conn, &updates).await?;
        }
        let inserts = placed(self.rows.take_inserts());
        if !inserts.is_empty() {
            place_projects::insert(run.conn, &inserts).await?;
        }
        let features: Vec<_> = std::mem::take(&mut self.features).into_iter().collect();
        if !features.is_empty() {
            project_sets::upsert_features(&mut *run.conn, &features).await?;
        }
        Ok(())
    }
}

/// The parts of a project, in the order in which the report tells of them.
pub(crate) mod part {
    pub(crate) const REPOSITORY: u8 = 1;
    pub(crate) const MEMBERS: u8 = 2;
    pub(crate) const SHARES: u8 = 3;
    pub(crate) const DEPLOY_KEYS: u8 = 4;
    pub(crate) const BRANCHES: u8 = 5;
    pub(crate) const TAGS: u8 = 6;
    pub(crate) const OTHERS: u8 = 7;
    pub(crate) const AGENTS: u8 = 8;
    pub(crate) const POLICIES: u8 = 9;
    pub(crate) const DEPLOY_TOKENS: u8 = 10;
    pub(crate) const ACCESS_TOKENS: u8 = 11;
    pub(crate) const FORK: u8 = 12;
}

/// Removes a project that should not exist.
pub(crate) async fn remove(run: &mut ApplyRun<'_>, place: &DocumentPlace, project: &ProjectEntry) -> Result<()> {
    let Some(PathOwner::Project(id)) = run.path_owner(&project.path).await? else { return Ok(()) };
    if project.id.is_some_and(|stated| stated.0 != id.0) {
        run.problem(&place.key("id"), format!("must be {id}, which it has, or be left out"));
        return Ok(());
    }
    delete_places::delete_projects(run.conn, &[id]).await?;
    run.directory.forget_below(&project.path);
    run.removed(&format!("project {}", project.path));
    Ok(())
}

/// Applies what few projects have, and each of them has little of.
pub(crate) async fn apply_others(run: &mut ApplyRun<'_>, project: &AppliedProject<'_>) -> Result<()> {
    let AppliedProject { position: EntryPosition { place, order }, entry, id, .. } = project;
    let (id, path) = (*id, project.path());
    run.at(order.part(part::OTHERS));
    if let Some(rules) = &entry.push_rules {
        push_rules::apply(run, &place.key("push_rules"), PushRuleOwner::Project(id), path, rules).await?;
    }
    hooks::apply(run, &place.key("hooks"), web_hooks::HookOwner::Project(id), path, &entry.hooks).await?;
    if let Some(tracking) = &entry.error_tracking {
        error_tracking::apply(run, &place.key("error_tracking"), (id, path), tracking).await?;
    }
    run.at(order.part(part::POLICIES));
    if let Some(policies) = &entry.security_policies {
        let owner = policy_files::PolicyOwner::Project(id);
        security_policies::apply(run, &place.key("security_policies"), owner, path, policies).await?;
    }
    Ok(())
}

impl ProjectEntry {
    fn put_into(&self, row: &mut ProjectRow) -> FieldChanges {
        let mut changes = FieldChanges::default();
        changes.set("name", &mut row.name, self.name.clone());
        changes.set("description", &mut row.description, self.description.clone());
        changes.word("visibility", &mut row.visibility_level, self.visibility);
        changes.set("storage", &mut row.repository_storage, self.storage.clone());
        changes.set("archived", &mut row.archived, self.archived);
        changes.set("hidden", &mut row.hidden, self.hidden);
        changes.set("repository_read_only", &mut row.repository_read_only, self.repository_read_only);
        changes.set("repository_size_limit", &mut row.repository_size_limit, self.repository_size_limit);
        changes.set("lfs_enabled", &mut row.lfs_enabled, self.lfs_enabled);
        let link = self.printing_merge_request_link_enabled;
        changes.set("printing_merge_request_link_enabled", &mut row.printing_merge_request_link_enabled, link);
        changes
    }
}
