//! Exported projects.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use super::ExportNames;
use super::entry::{
    day, entry, public_key, push_rules, put_list, put_map, security_policies, stated, text, translate, word,
};
use super::groups::{members_of, shares_of};
use super::tokens;
use crate::document::words::{FeatureWord, MergeRequestStateWord, VisibilityWord};
use crate::domain::ids::{AgentId, NamespaceId, ProjectId};
use crate::store::deploy_tokens::DeployTokenOwner;
use crate::store::exports::{self, OwnedEntries};
use crate::store::members::MemberSource;
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::sets::projects::{self, ProjectRecord};
use crate::store::sets::protected_refs::AccessLists;
use crate::store::sets::repositories::RepositoryRecord;
use crate::store::sets::{agents, keys, protected_refs, repositories};
use crate::store::{Result, push_rules as rules};

type ProjectLists = HashMap<ProjectId, Vec<Value>>;

/// What projects have beside their rows.
struct ProjectParts {
    repositories: HashMap<ProjectId, RepositoryRecord>,
    deploy_keys: ProjectLists,
    deploy_tokens: HashMap<DeployTokenOwner, Vec<Value>>,
    access_tokens: HashMap<NamespaceId, Vec<Value>>,
    sources: HashMap<ProjectId, String>,
    branches: ProjectLists,
    tags: ProjectLists,
    agents: ProjectLists,
    merge_requests: OwnedEntries,
    error_tracking: OwnedEntries,
    client_keys: OwnedEntries,
    policies: OwnedEntries,
    push_rules: HashMap<i64, Value>,
}

/// The projects of these ids, in this order.
pub(super) async fn list(conn: &mut PgConnection, names: &ExportNames, ids: &[i64]) -> Result<Vec<Value>> {
    let mut records = projects::list(&mut *conn, ids).await?;
    let source = |id: i64, record: &ProjectRecord| MemberSource::Project(ProjectId(id), record.project_namespace);
    let sources: Vec<MemberSource> = records.iter().map(|(id, record)| source(id.0, record)).collect();
    let mut members = members_of(conn, names, &sources).await?;
    let mut shares = shares_of(conn, names, &sources).await?;
    let namespaces: Vec<i64> = records.values().map(|record| record.project_namespace.0).collect();
    let mut parts = ProjectParts::load(conn, names, ids, &namespaces).await?;
    let mut entries = Vec::with_capacity(ids.len());
    for id in ids {
        let Some(record) = records.remove(&ProjectId(*id)) else { continue };
        let source = source(*id, &record);
        let mut entry = row(names, *id, &record);
        put_map(&mut entry, "members", members.remove(&source).unwrap_or_default());
        put_map(&mut entry, "shared_with", shares.remove(&source).unwrap_or_default());
        parts.put_into(&mut entry, ProjectId(*id), record.project_namespace);
        entries.push(Value::Object(entry));
    }
    Ok(entries)
}

fn row(names: &ExportNames, id: i64, record: &ProjectRecord) -> Map<String, Value> {
    let (row, features) = (&record.row, &record.features);
    let optional = |level: Option<i32>| level.map_or(Value::Null, word::<FeatureWord>);
    let features = entry([
        ("repository", word::<FeatureWord>(features.repository_access_level)),
        ("wiki", optional(features.wiki_access_level)),
        ("snippets", word::<FeatureWord>(features.snippets_access_level)),
        ("merge_requests", optional(features.merge_requests_access_level)),
    ]);
    entry([
        ("path", json!(record.path)),
        ("id", json!(id)),
        ("name", text(&row.name)),
        ("description", json!(row.description)),
        ("creator", json!(row.creator_id.and_then(|id| names.users.get(&id)))),
        ("visibility", word::<VisibilityWord>(row.visibility_level)),
        ("storage", text(&row.repository_storage)),
        ("archived", json!(row.archived)),
        ("hidden", json!(row.hidden)),
        ("repository_read_only", json!(row.repository_read_only)),
        ("repository_size_limit", json!(row.repository_size_limit)),
        ("lfs_enabled", json!(row.lfs_enabled)),
        ("printing_merge_request_link_enabled", json!(row.printing_merge_request_link_enabled)),
        ("features", Value::Object(features)),
    ])
}

impl ProjectParts {
    async fn load(conn: &mut PgConnection, names: &ExportNames, ids: &[i64], namespaces: &[i64]) -> Result<Self> {
        let mut push_rules_of = HashMap::new();
        for (project, rule) in exports::list_project_push_rules(&mut *conn, ids).await? {
            if let Some(row) = rules::find(&mut *conn, rule).await? {
                push_rules_of.insert(project, push_rules(row));
            }
        }
        let uses = keys::list_deploy_keys(&mut *conn, ids).await?;
        let titles = KeyTitles::of(names, &uses);
        Ok(Self {
            repositories: repositories::list(&mut *conn, ids).await?,
            deploy_keys: deploy_keys(names, uses),
            deploy_tokens: tokens::deploy_tokens(
                conn,
                ids.iter().map(|id| DeployTokenOwner::Project(ProjectId(*id))).collect(),
            )
            .await?,
            access_tokens: tokens::access_tokens(conn, namespaces).await?,
            sources: exports::list_fork_sources(&mut *conn, ids).await?.into_iter().collect(),
            branches: branches(conn, names, &titles, ids).await?,
            tags: tags(conn, names, &titles, ids).await?,
            agents: agents_of(conn, names, ids).await?,
            merge_requests: exports::list_merge_requests(&mut *conn, ids).await?,
            error_tracking: exports::list_error_tracking(&mut *conn, ids).await?,
            client_keys: exports::list_client_keys(&mut *conn, ids).await?,
            policies: exports::list_project_policies(&mut *conn, ids).await?,
            push_rules: push_rules_of,
        })
    }

    fn put_into(&mut self, entry: &mut Map<String, Value>, id: ProjectId, namespace: NamespaceId) {
        let repository = self.repositories.remove(&id).unwrap_or_default();
        match (repository.storage.is_some(), repository.missing) {
            (true, _) => entry.insert("repository".to_owned(), json!("present")),
            (false, false) => entry.insert("repository".to_owned(), json!("absent")),
            // It is still to be made, and so it would be where nothing is said.
            (false, true) => None,
        };
        if repository.wiki {
            entry.insert("wiki_repository".to_owned(), json!("present"));
        }
        if let Some(branch) = repository.default_branch {
            entry.insert("default_branch".to_owned(), json!(branch));
        }
        if let Some(source) = self.sources.remove(&id) {
            entry.insert("forked_from".to_owned(), json!(source));
        }
        put_list(entry, "deploy_keys", self.deploy_keys.remove(&id).unwrap_or_default());
        let deploy_tokens = self.deploy_tokens.remove(&DeployTokenOwner::Project(id));
        put_list(entry, "deploy_tokens", deploy_tokens.unwrap_or_default());
        put_list(entry, "access_tokens", self.access_tokens.remove(&namespace).unwrap_or_default());
        put_list(entry, "protected_branches", self.branches.remove(&id).unwrap_or_default());
        put_list(entry, "protected_tags", self.tags.remove(&id).unwrap_or_default());
        put_list(entry, "agents", self.agents.remove(&id).unwrap_or_default());
        let requests = self.merge_requests.remove(&id.0).unwrap_or_default().into_iter().map(|request| {
            let mut request = stated(request);
            translate::<MergeRequestStateWord>(&mut request, "state");
            Value::Object(request)
        });
        put_list(entry, "merge_requests", requests.collect());
        if let Some(tracking) = self.error_tracking.remove(&id.0).and_then(|rows| rows.into_iter().next()) {
            let mut tracking = stated(tracking);
            put_list(&mut tracking, "client_keys", self.client_keys.remove(&id.0).unwrap_or_default());
            entry.insert("error_tracking".to_owned(), Value::Object(tracking));
        }
        if let Some(rules) = self.push_rules.remove(&id.0) {
            entry.insert("push_rules".to_owned(), rules);
        }
        if let Some(policies) = self.policies.get(&id.0).and_then(|files| security_policies(files.first()?)) {
            entry.insert("security_policies".to_owned(), policies);
        }
    }
}

/// The titles by which protected refs name deploy keys: those that one key of the project alone has, where it is exported.
struct KeyTitles(HashMap<(ProjectId, i64), String>);

impl KeyTitles {
    fn of(names: &ExportNames, uses: &[keys::DeployKeyUse]) -> Self {
        let mut counts: HashMap<(ProjectId, &str), usize> = HashMap::new();
        for used in uses {
            *counts.entry((used.project, &used.key.title)).or_default() += 1;
        }
        let is_named = |used: &&keys::DeployKeyUse| {
            let is_unique = counts.get(&(used.project, &*used.key.title)) == Some(&1);
            is_unique && !used.key.title.is_empty() && is_exported(names, used)
        };
        Self(uses.iter().filter(is_named).map(|used| ((used.project, used.key.id), used.key.title.clone())).collect())
    }
}

/// Whether applying takes the key: one that may push and has no owner is not taken.
fn is_exported(names: &ExportNames, used: &keys::DeployKeyUse) -> bool {
    let has_owner = used.key.user_id.is_some_and(|id| names.users.contains_key(&id));
    public_key(&used.key.key).is_some() && (!used.can_push || has_owner)
}

fn deploy_keys(names: &ExportNames, uses: Vec<keys::DeployKeyUse>) -> ProjectLists {
    let mut lists = ProjectLists::new();
    for used in uses.into_iter().filter(|used| is_exported(names, used)) {
        let owner = used.key.user_id.and_then(|id| names.users.get(&id));
        let key = entry([
            ("key", json!(used.key.key)),
            ("id", json!(used.key.id)),
            ("title", text(&used.key.title)),
            ("can_push", json!(used.can_push)),
            ("public", json!(used.key.public)),
            ("owner", json!(owner)),
            ("expires_at", day(used.key.expires_at)),
        ]);
        lists.entry(used.project).or_default().push(Value::Object(key));
    }
    lists
}

/// Those who pass a protection, in words. Those without a word are left out; where they were all, the protection says
/// that nobody passes, for one that says nothing lets maintainers through.
fn principals(names: &ExportNames, titles: &KeyTitles, project: ProjectId, id: i64, lists: &AccessLists) -> Value {
    let word = |allowed: &ProtectedRefAccess| match allowed {
        ProtectedRefAccess::Role(0) => Some("none".to_owned()),
        ProtectedRefAccess::Role(30) => Some("developer".to_owned()),
        ProtectedRefAccess::Role(40) => Some("maintainer".to_owned()),
        ProtectedRefAccess::Role(60) => Some("admin".to_owned()),
        ProtectedRefAccess::Role(_) => None,
        ProtectedRefAccess::User(user) => names.users.get(&user.0).map(|name| format!("user:{name}")),
        ProtectedRefAccess::Group(group) => names.namespaces.get(&group.0).map(|path| format!("group:{path}")),
        ProtectedRefAccess::DeployKey(key) => {
            titles.0.get(&(project, key.0)).map(|title| format!("deploy_key:{title}"))
        }
    };
    let allowed = lists.get(&id).map(Vec::as_slice).unwrap_or_default();
    let words: Vec<String> = allowed.iter().filter_map(word).collect();
    if words.is_empty() && !allowed.is_empty() { json!(["none"]) } else { json!(words) }
}

async fn branches(
    conn: &mut PgConnection,
    names: &ExportNames,
    titles: &KeyTitles,
    ids: &[i64],
) -> Result<ProjectLists> {
    let mut seen = std::collections::HashSet::new();
    let mut rows = protected_refs::list_branches(&mut *conn, ids).await?;
    rows.retain(|(project, name, _)| !name.is_empty() && seen.insert((*project, name.clone())));
    rows.sort_by(|one, other| one.1.cmp(&other.1));
    let of_rows: Vec<i64> = rows.iter().map(|(_, _, row)| row.id).collect();
    let push = protected_refs::list_push_access(&mut *conn, &of_rows).await?;
    let merge = protected_refs::list_merge_access(&mut *conn, &of_rows).await?;
    let mut lists = ProjectLists::new();
    for (project, name, row) in rows {
        let branch = entry([
            ("name", json!(name)),
            ("id", json!(row.id)),
            ("push", principals(names, titles, project, row.id, &push)),
            ("merge", principals(names, titles, project, row.id, &merge)),
            ("allow_force_push", json!(row.allow_force_push)),
        ]);
        lists.entry(project).or_default().push(Value::Object(branch));
    }
    Ok(lists)
}

async fn tags(conn: &mut PgConnection, names: &ExportNames, titles: &KeyTitles, ids: &[i64]) -> Result<ProjectLists> {
    let mut rows = protected_refs::list_tags(&mut *conn, ids).await?;
    rows.retain(|(_, name, _)| !name.is_empty());
    rows.sort_by(|one, other| one.1.cmp(&other.1));
    let of_rows: Vec<i64> = rows.iter().map(|(_, _, id)| *id).collect();
    let create = protected_refs::list_create_access(&mut *conn, &of_rows).await?;
    let mut lists = ProjectLists::new();
    for (project, name, id) in rows {
        let create = principals(names, titles, project, id, &create);
        let tag = entry([("name", json!(name)), ("id", json!(id)), ("create", create)]);
        lists.entry(project).or_default().push(Value::Object(tag));
    }
    Ok(lists)
}

async fn agents_of(conn: &mut PgConnection, names: &ExportNames, ids: &[i64]) -> Result<ProjectLists> {
    let mut rows = agents::list(&mut *conn, ids).await?;
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    let of_rows: Vec<i64> = rows.iter().map(|agent| agent.id.0).collect();
    let mut tokens: HashMap<AgentId, Vec<Value>> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    for row in agents::list_tokens(&mut *conn, &of_rows).await? {
        if !row.revoked && !row.name.is_empty() && seen.insert((row.agent, row.name.clone())) {
            tokens.entry(row.agent).or_default().push(json!({ "name": row.name, "id": row.id }));
        }
    }
    let mut opened = agents::list_ci_projects(&mut *conn, &of_rows).await?;
    let mut lists = ProjectLists::new();
    for agent in rows {
        let paths = opened.remove(&agent.id).unwrap_or_default().into_iter().map(|(_, path)| json!(path));
        let mut entry = entry([
            ("name", json!(agent.name)),
            ("id", json!(agent.id.0)),
            ("created_by", json!(agent.created_by.and_then(|user| names.users.get(&user.0)))),
        ]);
        put_list(&mut entry, "project_access", paths.collect());
        put_list(&mut entry, "tokens", tokens.remove(&agent.id).unwrap_or_default());
        lists.entry(agent.project).or_default().push(Value::Object(entry));
    }
    Ok(lists)
}
