//! `merge_requests:`, of a project: as far as pushes depend on them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, MergeRequestStateWord, NumberedWord, stated};
use crate::domain::access::refs::is_valid_name;
use crate::domain::ids::ProjectId;
use crate::store::Result;
use crate::store::merge_requests::{self, MergeRequestRow};
use crate::store::namespaces::PathOwner;

/// A merge request into the project, found by its number.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeRequestEntry {
    /// Its number in the project.
    #[schemars(range(min = 1))]
    pub iid: i32,
    /// The project that it comes from, by its full path; of a new one this project, unless stated.
    pub source_project: Option<String>,
    /// The branch that it brings.
    #[schemars(length(min = 1, max = 255))]
    pub source_branch: Option<String>,
    /// The branch that it is to be merged into.
    #[schemars(length(min = 1, max = 255))]
    pub target_branch: Option<String>,
    /// What has become of it; a new one is opened, unless stated. While it is merged it is locked.
    pub state: Option<MergeRequestStateWord>,
    /// Whether those who may merge it may push to the branch that it brings from another project.
    pub allow_collaboration: Option<bool>,
    /// The commit that the target branch is to name when the running merge is through; null for none.
    #[serde(default, deserialize_with = "stated")]
    #[schemars(extend("pattern" = "^([0-9a-f]{40}|[0-9a-f]{64})$"))]
    pub in_progress_merge_commit_sha: Option<Option<String>>,
    /// `absent` removes it.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Brings a project's merge requests in line, when all projects exist; `whose` is its path.
pub async fn apply(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    project: ProjectId,
    whose: &str,
    stated: &[MergeRequestEntry],
) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (index, request) in stated.iter().enumerate() {
        let here = place.item(index);
        if let Some(first) = seen.insert(request.iid, index) {
            run.problem(&here.key("iid"), format!("{} is that of {place}[{first}] as well", request.iid));
        } else {
            apply_one(run, &here, project, whose, request).await?;
        }
    }
    Ok(())
}

async fn apply_one(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    project: ProjectId,
    whose: &str,
    stated: &MergeRequestEntry,
) -> Result<()> {
    let what = format!("merge request {whose}!{}", stated.iid);
    let existing = merge_requests::find(&mut *run.conn, project, stated.iid).await?;
    if stated.ensure.is_absent() {
        if let Some((id, _)) = existing {
            merge_requests::delete(&mut *run.conn, id).await?;
            run.removed(&what);
        }
        return Ok(());
    }
    let source = match &stated.source_project {
        None => None,
        Some(path) => match run.path_owner(path).await? {
            Some(PathOwner::Project(id)) => Some(id.0),
            Some(_) | None if run.has_failed(path) => return Ok(()),
            Some(_) | None => {
                run.problem(&place.key("source_project"), format!("there is no project {path}"));
                return Ok(());
            }
        },
    };
    let created = existing.is_none();
    let mut row = existing.map_or_else(|| new(project), |(_, row)| row);
    let mut changes = FieldChanges::default();
    changes.set("source_project", &mut row.source_project_id, source.map(Some));
    changes.set("source_branch", &mut row.source_branch, stated.source_branch.clone());
    changes.set("target_branch", &mut row.target_branch, stated.target_branch.clone());
    changes.small_word("state", &mut row.state_id, stated.state);
    changes.set("allow_collaboration", &mut row.allow_maintainer_to_push, stated.allow_collaboration);
    let commit = stated.in_progress_merge_commit_sha.clone();
    changes.set("in_progress_merge_commit_sha", &mut row.in_progress_merge_commit_sha, commit);
    let problems = run.problems();
    check(run, place, project, &row);
    if run.problems() > problems || (changes.is_empty() && !created) {
        return Ok(());
    }
    merge_requests::upsert(&mut *run.conn, project, stated.iid, &row).await?;
    if created {
        run.added(&what);
    } else {
        run.updated(&what, &changes);
    }
    Ok(())
}

fn new(project: ProjectId) -> MergeRequestRow {
    MergeRequestRow {
        source_project_id: Some(project.0),
        source_branch: String::new(),
        target_branch: String::new(),
        state_id: 1,
        allow_maintainer_to_push: false,
        in_progress_merge_commit_sha: None,
    }
}

/// What would have no effect is refused.
fn check(run: &mut ApplyRun<'_>, place: &DocumentPlace, project: ProjectId, row: &MergeRequestRow) {
    for (key, name) in [("source_branch", &row.source_branch), ("target_branch", &row.target_branch)] {
        if name.is_empty() {
            run.problem(&place.key(key), "is missing, for example main");
        } else if !is_valid_name(name) {
            run.problem(&place.key(key), format!("{name} cannot be the name of a branch"));
        }
    }
    if row.allow_maintainer_to_push && row.source_project_id == Some(project.0) {
        let reason = "is for merge requests from another project: who may merge here may push here";
        run.problem(&place.key("allow_collaboration"), reason);
    }
    let locked = i32::from(row.state_id) == MergeRequestStateWord::Locked.number();
    if row.in_progress_merge_commit_sha.is_some() && !locked {
        let reason = "is for a merge request whose state is locked: its merge is running; null for any other";
        run.problem(&place.key("in_progress_merge_commit_sha"), reason);
    }
}
