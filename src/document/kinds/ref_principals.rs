//! Who may pass the protection of a branch or tag: roles, users, groups and deploy keys.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::domain::ids::{KeyId, ProjectId};
use crate::store::Result;
use crate::store::protected_refs::ProtectedRefAccess;
use crate::store::sets::keys;

/// The level of maintainers, who pass where nobody is named.
pub(crate) const MAINTAINER: i32 = 40;

/// Who may pass a protection: a role and all above it, or `user:`, `group:` or `deploy_key:` and a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(extend(
    "pattern" = "^(none|developer|maintainer|admin|user:.+|group:.+|deploy_key:.+)$",
    "examples" = ["maintainer"]
))]
pub struct RefPrincipal(String);

impl RefPrincipal {
    /// The username, where it names a user.
    pub(crate) fn username(&self) -> Option<&str> {
        self.0.strip_prefix("user:")
    }

    /// The path, where it names a group.
    pub(crate) fn group(&self) -> Option<&str> {
        self.0.strip_prefix("group:")
    }

    fn is_deploy_key(&self) -> bool {
        self.0.starts_with("deploy_key:")
    }
}

/// The deploy keys that principals name by their titles.
#[derive(Default)]
pub(crate) struct NamedDeployKeys(HashMap<(ProjectId, String), Vec<KeyId>>);

impl NamedDeployKeys {
    /// Fetches the users, the groups and the deploy keys that these principals of projects name.
    pub(crate) async fn load<'d>(
        &mut self,
        run: &mut ApplyRun<'_>,
        principals: impl Iterator<Item = (ProjectId, &'d RefPrincipal)> + Clone,
    ) -> Result<()> {
        let named = || principals.clone().map(|(_, principal)| principal);
        let (users, groups) = (named().filter_map(RefPrincipal::username), named().filter_map(RefPrincipal::group));
        run.directory.load(run.conn, users, groups).await?;
        let of_keys = principals.filter(|(_, principal)| principal.is_deploy_key());
        let mut projects: Vec<i64> = of_keys.map(|(project, _)| project.0).collect();
        projects.dedup();
        if projects.is_empty() {
            return Ok(());
        }
        for used in keys::list_deploy_keys(&mut *run.conn, &projects).await? {
            self.0.entry((used.project, used.key.title)).or_default().push(KeyId(used.key.id));
        }
        Ok(())
    }

    fn find(
        &self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        project: ProjectId,
        title: &str,
    ) -> Option<ProtectedRefAccess> {
        match self.0.get(&(project, title.to_owned())).map(Vec::as_slice) {
            Some([id]) => return Some(ProtectedRefAccess::DeployKey(*id)),
            None | Some([]) => run.problem(place, format!("the project has no deploy key {title}")),
            Some(_) => run.problem(place, format!("the project has several deploy keys {title}")),
        }
        None
    }

    /// Who the words name, in order. A word that names nobody is a problem and left out.
    pub(crate) async fn resolve(
        &self,
        run: &mut ApplyRun<'_>,
        place: &DocumentPlace,
        project: ProjectId,
        stated: Option<&[RefPrincipal]>,
    ) -> Result<Option<Vec<ProtectedRefAccess>>> {
        let Some(stated) = stated else { return Ok(None) };
        let mut allowed = Vec::with_capacity(stated.len());
        for (index, RefPrincipal(word)) in stated.iter().enumerate() {
            let place = place.item(index);
            allowed.extend(match word.split_once(':') {
                Some(("user", username)) => run.user(&place, username).await?.map(ProtectedRefAccess::User),
                Some(("group", path)) => run.group(&place, path).await?.map(ProtectedRefAccess::Group),
                Some(("deploy_key", title)) => self.find(run, &place, project, title),
                _ => Some(ProtectedRefAccess::Role(role(word))),
            });
        }
        allowed.sort_unstable();
        allowed.dedup();
        Ok(Some(allowed))
    }
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
pub(crate) fn shown(allowed: &Vec<ProtectedRefAccess>) -> String {
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
