//! `protected_branches:` and `protected_tags:`, of a project.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::run::{Changes, Found, Place, Run};
use super::words::{Ensure, Id};
use crate::domain::ids::ProjectId;
use crate::store::protected_refs::{self, ProtectedBranchRow, ProtectedRefAccess};
use crate::store::{Result, keys};

/// The level of maintainers, who pass where nobody is named.
const MAINTAINER: i32 = 40;

/// A branch, or a pattern with `*`, that not everybody may push to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedBranch {
    /// The branch, or a pattern with `*`.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["release/*"]))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// Who may push; of a new protection maintainers, unless stated.
    pub push: Option<Vec<Principal>>,
    /// Who may merge; of a new protection maintainers, unless stated.
    pub merge: Option<Vec<Principal>>,
    /// Whether those who may push may rewrite history.
    pub allow_force_push: Option<bool>,
    /// `absent` lifts the protection.
    #[serde(default)]
    pub ensure: Ensure,
}

/// A tag, or a pattern with `*`, that not everybody may create.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtectedTag {
    /// The tag, or a pattern with `*`.
    #[schemars(length(min = 1, max = 255), extend("examples" = ["v*"]))]
    pub name: String,
    /// Chosen on creation.
    pub id: Option<Id>,
    /// Who may create it; of a new protection maintainers, unless stated.
    pub create: Option<Vec<Principal>>,
    /// `absent` lifts the protection.
    #[serde(default)]
    pub ensure: Ensure,
}

/// One whom a protection lets through: a role and all above it, or `user:`, `group:` or `deploy_key:` and a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend(
    "pattern" = "^(none|developer|maintainer|admin|user:.+|group:.+|deploy_key:.+)$",
    "examples" = ["maintainer"]
))]
pub struct Principal(String);

/// Brings a project's protected branches in line; `whose` is its path. The answer has their ids by name.
pub async fn bring_branches(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    stated: &[ProtectedBranch],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, branch) in stated.iter().enumerate() {
        let place = place.item(index);
        let what = format!("protected branch {} of {whose}", branch.name);
        let existing = protected_refs::find_branch(&mut *run.conn, project, &branch.name).await?;
        if branch.ensure.is_absent() {
            if let Some(row) = existing {
                protected_refs::delete_branch(&mut *run.conn, row.id).await?;
                run.removed(&what);
            }
            continue;
        }
        let push = resolve(run, &place.key("push"), project, branch.push.as_deref()).await?;
        let merge = resolve(run, &place.key("merge"), project, branch.merge.as_deref()).await?;
        for (index, _) in
            merge.iter().flatten().enumerate().filter(|(_, one)| matches!(one, ProtectedRefAccess::DeployKey(_)))
        {
            run.mistake(&place.key("merge").item(index), "is a deploy key, which pushes and never merges");
        }
        let by_key = existing.as_ref().map(|row| row.id);
        let stated_id = branch.id.map(|id| id.0);
        let Some(found) = run.identify_fixed(&place, "protected_branches", stated_id, by_key).await? else {
            continue;
        };
        let mut row =
            existing.unwrap_or(ProtectedBranchRow { id: stated_id.unwrap_or(0), ..ProtectedBranchRow::default() });
        let mut changes = Changes::default();
        changes.set("allow_force_push", &mut row.allow_force_push, branch.allow_force_push);
        let id = match found {
            Found::Nothing(_) => {
                let id = protected_refs::insert_branch(&mut *run.conn, project, &branch.name, &row).await?;
                run.added(&what);
                id
            }
            Found::Row(id) => {
                if !changes.is_empty() {
                    protected_refs::update_branch(&mut *run.conn, &row).await?;
                }
                id
            }
        };
        let created = matches!(found, Found::Nothing(_));
        let usual = || created.then(|| vec![ProtectedRefAccess::Role(MAINTAINER)]);
        let mut who = protected_refs::list_push_access(&mut *run.conn, id).await?;
        if let Some(push) = push.or_else(usual).filter(|push| *push != who) {
            changes.set_as("push", &mut who, Some(push), shown);
            protected_refs::replace_push_access(run.conn, id, &who).await?;
        }
        let mut who = protected_refs::list_merge_access(&mut *run.conn, id).await?;
        if let Some(merge) = merge.or_else(usual).filter(|merge| *merge != who) {
            changes.set_as("merge", &mut who, Some(merge), shown);
            protected_refs::replace_merge_access(run.conn, id, &who).await?;
        }
        if !created && !changes.is_empty() {
            run.updated(&what, &changes);
        }
        named.insert(branch.name.clone(), json!({ "id": id }));
    }
    Ok(named)
}

/// Brings a project's protected tags in line; `whose` is its path. The answer has their ids by name.
pub async fn bring_tags(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    whose: &str,
    stated: &[ProtectedTag],
) -> Result<Map<String, Value>> {
    let mut named = Map::new();
    for (index, tag) in stated.iter().enumerate() {
        let place = place.item(index);
        let what = format!("protected tag {} of {whose}", tag.name);
        let existing = protected_refs::find_tag(&mut *run.conn, project, &tag.name).await?;
        if tag.ensure.is_absent() {
            if let Some(id) = existing {
                protected_refs::delete_tag(&mut *run.conn, id).await?;
                run.removed(&what);
            }
            continue;
        }
        let create = resolve(run, &place.key("create"), project, tag.create.as_deref()).await?;
        let found = run.identify_fixed(&place, "protected_tags", tag.id.map(|id| id.0), existing).await?;
        let (id, created) = match found {
            None => continue,
            Some(Found::Nothing(chosen)) => {
                run.added(&what);
                (protected_refs::insert_tag(&mut *run.conn, chosen, project, &tag.name).await?, true)
            }
            Some(Found::Row(id)) => (id, false),
        };
        let usual = || created.then(|| vec![ProtectedRefAccess::Role(MAINTAINER)]);
        let mut who = protected_refs::list_create_access(&mut *run.conn, id).await?;
        if let Some(create) = create.or_else(usual).filter(|create| *create != who) {
            let mut changes = Changes::default();
            changes.set_as("create", &mut who, Some(create), shown);
            protected_refs::replace_create_access(run.conn, id, &who).await?;
            if !created {
                run.updated(&what, &changes);
            }
        }
        named.insert(tag.name.clone(), json!({ "id": id }));
    }
    Ok(named)
}

/// Whom the words mean, in order. Those that mean nobody are mistakes and left out.
async fn resolve(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    stated: Option<&[Principal]>,
) -> Result<Option<Vec<ProtectedRefAccess>>> {
    let Some(stated) = stated else { return Ok(None) };
    let mut allowed = Vec::with_capacity(stated.len());
    for (index, Principal(word)) in stated.iter().enumerate() {
        let place = place.item(index);
        allowed.extend(match word.split_once(':') {
            Some(("user", username)) => run.user(&place, username).await?.map(ProtectedRefAccess::User),
            Some(("group", path)) => run.group(&place, path).await?.map(ProtectedRefAccess::Group),
            Some(("deploy_key", title)) => deploy_key(run, &place, project, title).await?,
            _ => Some(ProtectedRefAccess::Role(role(word))),
        });
    }
    allowed.sort_unstable();
    allowed.dedup();
    Ok(Some(allowed))
}

async fn deploy_key(
    run: &mut Run<'_>,
    place: &Place,
    project: ProjectId,
    title: &str,
) -> Result<Option<ProtectedRefAccess>> {
    match keys::list_deploy_keys_by_title(&mut *run.conn, project, title).await?[..] {
        [id] => return Ok(Some(ProtectedRefAccess::DeployKey(id))),
        [] => run.mistake(place, format!("the project has no deploy key {title}")),
        _ => run.mistake(place, format!("the project has several deploy keys {title}")),
    }
    Ok(None)
}

/// The schema admits these words alone.
fn role(word: &str) -> i32 {
    match word {
        "none" => 0,
        "developer" => 30,
        "admin" => 60,
        _ => MAINTAINER,
    }
}

#[expect(clippy::ptr_arg, reason = "`Changes::set_as` shows the field as it is")]
fn shown(allowed: &Vec<ProtectedRefAccess>) -> String {
    let word = |one: &ProtectedRefAccess| match one {
        ProtectedRefAccess::Role(0) => "none".to_owned(),
        ProtectedRefAccess::Role(30) => "developer".to_owned(),
        ProtectedRefAccess::Role(40) => "maintainer".to_owned(),
        ProtectedRefAccess::Role(60) => "admin".to_owned(),
        ProtectedRefAccess::Role(level) => level.to_string(),
        ProtectedRefAccess::User(id) => format!("user {id}"),
        ProtectedRefAccess::Group(id) => format!("group {id}"),
        ProtectedRefAccess::DeployKey(id) => format!("deploy key {id}"),
    };
    format!("[{}]", allowed.iter().map(word).collect::<Vec<_>>().join(", "))
}
