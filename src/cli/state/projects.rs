//! `projects:`, in groups and personal namespaces.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::agents::{self, StatedAgent};
use super::deploy_keys::{self, DeployKey};
use super::hooks;
use super::members::{self, Membership};
use super::merge_requests;
use super::protected_refs::{self, ProtectedBranch, ProtectedTag};
use super::push_rules::{self, PushRules};
use super::run::{Changes, Found, Place, Run};
use super::security_policies::{self, SecurityPolicies};
use super::words::{Ensure, Feature, Given, Id, Visibility, stated};
use crate::domain::full_path::{Position, check_name, split};
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::domain::repository::{GlRepository, hashed_path};
use crate::gitaly::RepositoryLocation;
use crate::store::error_tracking::{self, ErrorTrackingRow};
use crate::store::members::Source;
use crate::store::namespaces::{self, Holder};
use crate::store::projects::{self, ProjectRow};
use crate::store::push_rules::PushRuleOwner;
use crate::store::security_policies as policy_files;
use crate::store::{Result, default_branches, derived, repositories, settings, web_hooks};

/// A project, found by its full path.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The full path. With an id that exists, another path renames or moves the project.
    #[schemars(length(min = 1, max = 4096), extend("examples" = ["gnuwget/wget2"]))]
    pub path: String,
    /// Chosen on creation, and the same ever after.
    pub id: Option<Id>,
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
    pub visibility: Option<Visibility>,
    /// The Gitaly storage of its repository.
    #[schemars(length(min = 1, max = 255))]
    pub storage: Option<String>,
    /// Whether the repository exists on its storage.
    pub repository: Option<Presence>,
    /// Whether the wiki's repository exists on the same storage.
    pub wiki_repository: Option<Presence>,
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
    pub features: Option<Features>,
    /// Members of the project alone.
    #[serde(default)]
    pub members: BTreeMap<String, Membership>,
    /// Groups whose members get in.
    #[serde(default)]
    pub shared_with: BTreeMap<String, Membership>,
    /// Keys that fetch from it, and may push to it.
    #[serde(default)]
    pub deploy_keys: Vec<DeployKey>,
    /// Branches that not everybody may push to.
    #[serde(default)]
    pub protected_branches: Vec<ProtectedBranch>,
    /// Tags that not everybody may create.
    #[serde(default)]
    pub protected_tags: Vec<ProtectedTag>,
    /// Merge requests into it, as far as pushes depend on them.
    #[serde(default)]
    pub merge_requests: Vec<merge_requests::MergeRequest>,
    /// What commits and pushes must be like.
    pub push_rules: Option<PushRules>,
    /// Who is told of pushes.
    #[serde(default)]
    pub hooks: Vec<hooks::Hook>,
    /// Whether it takes errors of its users' programs.
    pub error_tracking: Option<ErrorTracking>,
    /// Agents for Kubernetes that it configures.
    #[serde(default)]
    pub agents: Vec<StatedAgent>,
    /// Policies that have scans run, or keep branches from being pushed to.
    pub security_policies: Option<SecurityPolicies>,
    /// `absent` removes the project and all that is in it; its repository stays on the storage.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Whether something exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words say it")]
pub enum Presence {
    Present,
    Absent,
}

/// Who may use which part of a project.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(missing_docs, reason = "GitLab's own names")]
pub struct Features {
    pub repository: Option<Feature>,
    pub wiki: Option<Feature>,
    pub snippets: Option<Feature>,
    pub merge_requests: Option<Feature>,
}

/// Whether a project takes errors of its users' programs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ErrorTracking {
    /// Whether it does.
    pub enabled: Option<bool>,
    /// Whether this installation keeps them, not another server.
    pub integrated: Option<bool>,
    /// Keys that programs show, found by themselves.
    pub client_keys: Vec<ClientKey>,
}

/// A key that programs show.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientKey {
    /// The key.
    #[schemars(extend("maxLength" = 255))]
    pub public_key: Given,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// Whether it is good.
    pub active: Option<bool>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A project as its parts need it.
struct Home<'a> {
    id: ProjectId,
    shadow: NamespaceId,
    path: &'a str,
}

/// Removes a project that should not exist.
pub async fn remove(run: &mut Run<'_>, place: &Place, project: &Project) -> Result<()> {
    let Some(Holder::Project(id)) = namespaces::find_holder(&mut *run.conn, &project.path).await? else {
        return Ok(());
    };
    if project.id.is_some_and(|stated| stated.0 != id.0) {
        run.mistake(&place.key("id"), format!("must be {id}, which it has, or be left out"));
        return Ok(());
    }
    projects::delete(run.conn, id).await?;
    run.removed(&format!("project {}", project.path));
    Ok(())
}

/// Brings a project about.
pub async fn bring(run: &mut Run<'_>, place: &Place, project: &Project) -> Result<()> {
    let Some((home, created)) = bring_row(run, place, project).await? else {
        run.unborn(&project.path);
        for (index, key) in project.deploy_keys.iter().enumerate() {
            if let Some(given) = &key.key {
                run.ssh_key(&place.key("deploy_keys").item(index).key("key"), given);
            }
        }
        return members::check(run, place, &project.members, &project.shared_with).await;
    };
    let source = Source::Project(home.id, home.shadow);
    bring_features(run, &home, project, created).await?;
    bring_repository(run, &home, project).await?;
    members::bring(run, &place.key("members"), source, home.path, &project.members).await?;
    members::bring_shares(run, &place.key("shared_with"), source, home.path, &project.shared_with).await?;
    let deploy_keys =
        deploy_keys::bring(run, &place.key("deploy_keys"), home.id, home.path, &project.deploy_keys).await?;
    let branches = &project.protected_branches;
    let branches =
        protected_refs::bring_branches(run, &place.key("protected_branches"), home.id, home.path, branches).await?;
    let tags = &project.protected_tags;
    let tags = protected_refs::bring_tags(run, &place.key("protected_tags"), home.id, home.path, tags).await?;
    if let Some(rules) = &project.push_rules {
        push_rules::bring(run, &place.key("push_rules"), PushRuleOwner::Project(home.id), home.path, rules).await?;
    }
    hooks::bring(run, &place.key("hooks"), web_hooks::Owner::Project(home.id), home.path, &project.hooks).await?;
    let mut client_keys = Map::new();
    if let Some(tracking) = &project.error_tracking {
        client_keys = bring_error_tracking(run, &place.key("error_tracking"), &home, tracking).await?;
    }
    let agents = agents::bring(run, &place.key("agents"), home.id, home.path, &project.agents).await?;
    if let Some(policies) = &project.security_policies {
        let owner = policy_files::Owner::Project(home.id);
        security_policies::bring(run, &place.key("security_policies"), owner, home.path, policies).await?;
    }
    let parts = [
        ("agents", agents),
        ("deploy_keys", deploy_keys),
        ("protected_branches", branches),
        ("protected_tags", tags),
        ("client_keys", client_keys),
    ];
    let mut named = Map::from_iter([("id".to_owned(), json!(home.id.0))]);
    named.extend(parts.into_iter().filter(|(_, map)| !map.is_empty()).map(|(key, map)| (key.to_owned(), map.into())));
    run.name("projects", &project.path, Value::Object(named));
    Ok(())
}

/// Opens the project's agents to others, and brings its merge requests about, when all projects exist.
pub async fn bring_access(run: &mut Run<'_>, place: &Place, project: &Project) -> Result<()> {
    let Some(Holder::Project(id)) = namespaces::find_holder(&mut *run.conn, &project.path).await? else {
        return Ok(());
    };
    agents::bring_access(run, &place.key("agents"), id, &project.path, &project.agents).await?;
    let requests = &project.merge_requests;
    merge_requests::bring(run, &place.key("merge_requests"), id, &project.path, requests).await
}

async fn bring_row<'a>(run: &mut Run<'_>, place: &Place, project: &'a Project) -> Result<Option<(Home<'a>, bool)>> {
    let (namespace_path, last) = split(&project.path);
    let Some(namespace_path) = namespace_path else {
        run.mistake(
            &place.key("path"),
            "has no namespace; a project is in a group or with a user, for example acme/web",
        );
        return Ok(None);
    };
    if let Err(reason) = check_name(last, Position::Project) {
        run.mistake(&place.key("path"), reason.to_string());
        return Ok(None);
    }
    let namespace = match namespaces::find_holder(&mut *run.conn, namespace_path).await? {
        Some(Holder::Group(id) | Holder::Personal(id)) => id,
        Some(Holder::Project(_)) => {
            run.mistake(&place.key("path"), format!("{namespace_path} is a project, and no project can be in it"));
            return Ok(None);
        }
        None => {
            if !run.is_unborn(namespace_path) {
                run.mistake(&place.key("path"), format!("there is no group or user {namespace_path}"));
            }
            return Ok(None);
        }
    };
    let by_path = match namespaces::find_holder(&mut *run.conn, &project.path).await? {
        Some(Holder::Project(id)) => Some(id.0),
        Some(_) => {
            run.mistake(&place.key("path"), format!("{} is a group", project.path));
            return Ok(None);
        }
        None => None,
    };
    let creator = match &project.creator {
        Some(username) => run.user(&place.key("creator"), username).await?,
        None => None,
    };
    let stated_id = project.id.map(|id| id.0);
    let Some(found) = run.identify(place, "projects", stated_id, by_path).await? else { return Ok(None) };
    let existing = match found {
        Found::Row(id) => projects::find(&mut *run.conn, ProjectId(id)).await?.map(|row| (ProjectId(id), row)),
        Found::Nothing(_) => None,
    };
    let mut row = match &existing {
        Some((_, (_, row))) => row.clone(),
        None => new_row(run, namespace, last).await?,
    };
    let mut changes = Changes::default();
    if let Some((_, (shadow, _))) = &existing {
        let mut path = namespaces::find_path(&mut *run.conn, *shadow).await?.unwrap_or_default();
        changes.set("path", &mut path, Some(project.path.clone()));
    }
    last.clone_into(&mut row.path);
    row.namespace_id = namespace.0;
    changes.append(project.put_into(&mut row));
    changes.set("creator", &mut row.creator_id, creator.map(|user| Some(user.0)));
    let own = existing.as_ref().map(|(_, (shadow, _))| *shadow);
    let other = namespaces::find_id_by_name(&mut *run.conn, namespace, "Project", &row.name, own).await?;
    if other.is_some() {
        run.mistake(&place.key("name"), format!("{} is the name of another project of {namespace_path}", row.name));
        return Ok(None);
    }
    let what = format!("project {}", project.path);
    let Some((id, (shadow, before))) = existing else {
        let (id, shadow) = projects::insert(run.conn, stated_id.map(ProjectId), &row).await?;
        derived::refresh_namespace(run.conn, shadow).await?;
        run.touch(namespace);
        run.check_visibility(shadow, place);
        run.added(&what);
        return Ok(Some((Home { id, shadow, path: &project.path }, true)));
    };
    if !changes.is_empty() {
        update_row(run, place, (id, shadow), &before, &row).await?;
        run.updated(&what, &changes);
    }
    Ok(Some((Home { id, shadow, path: &project.path }, false)))
}

async fn update_row(
    run: &mut Run<'_>,
    place: &Place,
    (id, shadow): (ProjectId, NamespaceId),
    before: &ProjectRow,
    row: &ProjectRow,
) -> Result<()> {
    let moved = row.namespace_id != before.namespace_id;
    if moved {
        derived::lock_root(run.conn, shadow).await?;
        run.touch_before(shadow).await?;
        run.touch(shadow);
    }
    projects::update(run.conn, id, row).await?;
    if moved || row.path != before.path || row.name != before.name {
        derived::refresh_namespace(run.conn, shadow).await?;
    }
    if moved || row.visibility_level != before.visibility_level {
        run.check_visibility(shadow, place);
    }
    Ok(())
}

/// What a project is that the document says nothing about: as visible as the instance wants and the group allows.
async fn new_row(run: &mut Run<'_>, namespace: NamespaceId, last: &str) -> Result<ProjectRow> {
    let usual = settings::find(&mut *run.conn).await?.default_project_visibility;
    let widest = namespaces::find_group(&mut *run.conn, namespace).await?.map_or(usual, |row| row.visibility_level);
    Ok(ProjectRow {
        name: last.to_owned(),
        visibility_level: usual.min(widest),
        repository_storage: "default".to_owned(),
        printing_merge_request_link_enabled: true,
        ..ProjectRow::default()
    })
}

impl Project {
    fn put_into(&self, row: &mut ProjectRow) -> Changes {
        let mut changes = Changes::default();
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

async fn bring_features(run: &mut Run<'_>, home: &Home<'_>, project: &Project, created: bool) -> Result<()> {
    let Some(features) = &project.features else { return Ok(()) };
    let mut row = projects::find_features(&mut *run.conn, home.id).await?;
    let mut changes = Changes::default();
    changes.word("repository", &mut row.repository_access_level, features.repository);
    changes.optional_word("wiki", &mut row.wiki_access_level, features.wiki);
    changes.word("snippets", &mut row.snippets_access_level, features.snippets);
    changes.optional_word("merge_requests", &mut row.merge_requests_access_level, features.merge_requests);
    if !changes.is_empty() {
        projects::upsert_features(&mut *run.conn, home.id, &row).await?;
        if !created {
            run.updated(&format!("features of {}", home.path), &changes);
        }
    }
    Ok(())
}

/// A project of which the document says nothing gets its repository: at once where its storage can be reached, and later
/// from the server where it cannot.
async fn create_repository(
    run: &mut Run<'_>,
    home: &Home<'_>,
    project: &Project,
    storage: &str,
    what: &str,
) -> Result<()> {
    let stated = project.default_branch.as_deref();
    let head = match stated {
        Some(name) => name.to_owned(),
        None => default_branches::find_initial(&mut *run.conn, home.id).await?,
    };
    let location = RepositoryLocation {
        storage: storage.to_owned(),
        relative_path: format!("{}.git", hashed_path("@hashed", home.id.0)),
        gl_repository: GlRepository::Project(home.id).to_string(),
        gl_project_path: home.path.to_owned(),
    };
    match run.create_repository(location, &head).await {
        Ok(made) => {
            let head = made.then_some(head.as_str());
            let now = run.now;
            repositories::upsert(run.conn, home.id, storage, head, now).await?;
            run.added(what);
        }
        Err(reason) => {
            repositories::insert_missing(&mut *run.conn, home.id, stated, run.now).await?;
            run.warn(&format!(
                "{what} was not created: {reason}; it is made when its storage answers, or say `repository: present` when it exists"
            ));
        }
    }
    Ok(())
}

async fn bring_repository(run: &mut Run<'_>, home: &Home<'_>, project: &Project) -> Result<()> {
    let storage = match projects::find(&mut *run.conn, home.id).await? {
        Some((_, row)) => row.repository_storage,
        None => return Ok(()),
    };
    let what = format!("repository of {}", home.path);
    let existing = projects::find_repository_storage(&mut *run.conn, home.id).await?;
    match (project.repository, existing) {
        (Some(Presence::Absent), Some(_)) => {
            projects::delete_repository(&mut *run.conn, home.id).await?;
            run.removed(&what);
        }
        (Some(Presence::Absent), None) => repositories::delete_missing(&mut *run.conn, home.id).await?,
        (Some(Presence::Present), None) => {
            let now = run.now;
            repositories::upsert(run.conn, home.id, &storage, None, now).await?;
            run.added(&what);
        }
        (_, Some(mut before)) => {
            let mut changes = Changes::default();
            changes.set("storage", &mut before, Some(storage.clone()));
            if !changes.is_empty() {
                projects::upsert_repository(run.conn, home.id, &storage).await?;
                run.updated(&what, &changes);
            }
        }
        (None, None) => create_repository(run, home, project, &storage, &what).await?,
    }
    if let Some(name) = &project.default_branch {
        // What the repository says of itself stands; this is for those who ask before it was asked.
        default_branches::insert(&mut *run.conn, home.id, name, run.now).await?;
    }
    let what = format!("wiki repository of {}", home.path);
    let exists = projects::has_wiki_repository(&mut *run.conn, home.id).await?;
    match (project.wiki_repository, exists) {
        (Some(Presence::Present), false) => {
            projects::insert_wiki_repository(&mut *run.conn, home.id).await?;
            run.added(&what);
        }
        (Some(Presence::Absent), true) => {
            projects::delete_wiki_repository(&mut *run.conn, home.id).await?;
            run.removed(&what);
        }
        _ => {}
    }
    Ok(())
}

async fn bring_error_tracking(
    run: &mut Run<'_>,
    place: &Place,
    home: &Home<'_>,
    tracking: &ErrorTracking,
) -> Result<Map<String, Value>> {
    let existing = error_tracking::find(&mut *run.conn, home.id).await?;
    let what = format!("error tracking of {}", home.path);
    let mut row = existing.unwrap_or(ErrorTrackingRow { enabled: false, integrated: true });
    let mut changes = Changes::default();
    changes.set("enabled", &mut row.enabled, tracking.enabled);
    changes.set("integrated", &mut row.integrated, tracking.integrated);
    if existing.is_none() || !changes.is_empty() {
        error_tracking::upsert(&mut *run.conn, home.id, row).await?;
        if existing.is_none() { run.added(&what) } else { run.updated(&what, &changes) }
    }
    let mut named = Map::new();
    for (index, key) in tracking.client_keys.iter().enumerate() {
        let place = place.key("client_keys").item(index);
        let Some(public_key) = run.given(&place.key("public_key"), &key.public_key) else { continue };
        let what = format!("client key {public_key} of {}", home.path);
        let existing = error_tracking::find_client_key(&mut *run.conn, home.id, &public_key).await?;
        if key.ensure.is_absent() {
            if let Some((id, _)) = existing {
                error_tracking::delete_client_key(&mut *run.conn, id).await?;
                run.removed(&what);
            }
            continue;
        }
        let stated_id = key.id.map(|id| id.0);
        let by_key = existing.map(|(id, _)| id);
        let table = "error_tracking_client_keys";
        let Some(found) = run.identify_fixed(&place, table, stated_id, by_key).await? else { continue };
        let id = match found {
            Found::Nothing(chosen) => {
                let active = key.active.unwrap_or(true);
                let id =
                    error_tracking::insert_client_key(&mut *run.conn, chosen, home.id, &public_key, active).await?;
                run.added(&what);
                id
            }
            Found::Row(id) => {
                let mut active = existing.is_some_and(|(_, active)| active);
                let mut changes = Changes::default();
                changes.set("active", &mut active, key.active);
                if !changes.is_empty() {
                    error_tracking::update_client_key(&mut *run.conn, id, active).await?;
                    run.updated(&what, &changes);
                }
                id
            }
        };
        named.insert(public_key, json!({ "id": id }));
    }
    Ok(named)
}
