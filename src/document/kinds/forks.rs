//! `forked_from:`, of projects.

use std::collections::HashMap;

use super::projects::{self, AppliedProject};
use crate::document::changes::FieldChanges;
use crate::document::object_kind::EntryPosition;
use crate::document::run::ApplyRun;
use crate::domain::ids::ProjectId;
use crate::store::namespaces::PathOwner;
use crate::store::{Result, forks};

/// Makes projects forks of those that the document says, or of none. All projects exist by now. What differs is written one
/// by one: a fork becomes one once.
pub(crate) async fn apply(run: &mut ApplyRun<'_>, applied: &[AppliedProject<'_>]) -> Result<()> {
    let stated = |project: &&AppliedProject<'_>| project.entry.forked_from.is_some();
    let ids: Vec<i64> = applied.iter().filter(stated).map(|project| project.id.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let known: HashMap<ProjectId, ProjectId> = forks::list_sources(&mut *run.conn, &ids).await?.into_iter().collect();
    for project in applied.iter().filter(stated) {
        let EntryPosition { place, order } = &project.position;
        run.at(order.part(projects::part::FORK));
        let place = place.key("forked_from");
        let before = known.get(&project.id).copied();
        let Some(Some(path)) = &project.entry.forked_from else {
            if before.is_some() {
                forks::delete(&mut *run.conn, project.id).await?;
                said(run, project.path(), "is no fork any more");
            }
            continue;
        };
        let source = match run.path_owner(path).await? {
            Some(PathOwner::Project(source)) => source,
            Some(_) => {
                run.problem(&place, format!("{path} is no project"));
                continue;
            }
            None if run.has_failed(path) => continue,
            None => {
                run.problem(&place, format!("there is no project {path}"));
                continue;
            }
        };
        if before == Some(source) {
            continue;
        }
        if forks::upsert(run.conn, project.id, source).await? {
            said(run, project.path(), &format!("is a fork of {path}"));
        } else {
            run.problem(&place, format!("{path} is a fork of {} itself", project.path()));
        }
    }
    Ok(())
}

fn said(run: &mut ApplyRun<'_>, path: &str, what: &str) {
    let mut changes = FieldChanges::default();
    changes.note(what);
    run.updated(&format!("project {path}"), &changes);
}
