//! `repository:`, `wiki_repository:` and `default_branch:`, of projects.

use std::collections::HashMap;

use super::projects::{AppliedProject, RepositoryPresence, part};
use crate::document::changes::FieldChanges;
use crate::document::object_kind::{EntryPosition, ObjectKind};
use crate::document::run::ApplyRun;
use crate::domain::ids::ProjectId;
use crate::domain::repository::{GlRepository, hashed_path};
use crate::gitaly::RepositoryLocation;
use crate::store::Result;
use crate::store::sets::repositories::{self, RepositoryRecord};

/// The repositories of the projects that a document states.
#[derive(Default)]
pub(crate) struct RepositorySet {
    known: HashMap<ProjectId, RepositoryRecord>,
    initial_branches: HashMap<ProjectId, String>,
    present: Vec<(ProjectId, String)>,
    absent: Vec<i64>,
    missing: Vec<(ProjectId, Option<String>)>,
    no_longer_missing: Vec<i64>,
    default_branches: Vec<(ProjectId, String)>,
    wikis: Vec<i64>,
    no_wikis: Vec<i64>,
}

impl RepositorySet {
    /// A project of which the document says nothing gets its repository: at once where its storage can be reached, and
    /// later from the server where it cannot.
    async fn create(&mut self, run: &mut ApplyRun<'_>, project: &AppliedProject<'_>, what: &str) {
        let stated = project.entry.default_branch.clone();
        let initial = || self.initial_branches.get(&project.id).cloned();
        let head = stated.clone().or_else(initial).unwrap_or_else(|| "main".to_owned());
        let location = RepositoryLocation {
            storage: project.storage.clone(),
            relative_path: format!("{}.git", hashed_path("@hashed", project.id.0)),
            gl_repository: GlRepository::Project(project.id).to_string(),
            gl_project_path: project.path().to_owned(),
        };
        match run.create_repository(location, &head).await {
            Ok(made) => {
                self.present.push((project.id, project.storage.clone()));
                if made {
                    self.default_branches.push((project.id, head));
                }
                run.added(what);
            }
            Err(reason) => {
                let is_noted = self.known.get(&project.id).is_some_and(|record| record.missing);
                if !is_noted || stated.is_some() {
                    self.missing.push((project.id, stated));
                }
                run.warn(&format!(
                    "{what} was not created: {reason}; it is made when its storage answers, or say `repository: present` when it exists"
                ));
            }
        }
    }

    async fn diff_code(&mut self, run: &mut ApplyRun<'_>, project: &AppliedProject<'_>) {
        let what = format!("repository of {}", project.path());
        let record = self.known.get(&project.id).cloned().unwrap_or_default();
        match (project.entry.repository, record.storage) {
            (Some(RepositoryPresence::Absent), Some(_)) => {
                self.absent.push(project.id.0);
                run.removed(&what);
            }
            (Some(RepositoryPresence::Absent), None) if record.missing => self.no_longer_missing.push(project.id.0),
            (Some(RepositoryPresence::Absent), None) => {}
            (Some(RepositoryPresence::Present), None) => {
                self.present.push((project.id, project.storage.clone()));
                run.added(&what);
            }
            (_, Some(mut storage)) => {
                let mut changes = FieldChanges::default();
                changes.set("storage", &mut storage, Some(project.storage.clone()));
                if !changes.is_empty() {
                    self.present.push((project.id, storage));
                    run.updated(&what, &changes);
                }
            }
            (None, None) if record.missing && run.is_dry() => {
                run.warn(&format!("{what} is still to be made"));
            }
            (None, None) => self.create(run, project, &what).await,
        }
        if let Some(name) = &project.entry.default_branch
            && record.default_branch.is_none()
        {
            // What the repository says of itself stands; this is for those who ask before it was asked.
            self.default_branches.push((project.id, name.clone()));
        }
    }

    fn diff_wiki(&mut self, run: &mut ApplyRun<'_>, project: &AppliedProject<'_>) {
        let what = format!("wiki repository of {}", project.path());
        let exists = self.known.get(&project.id).is_some_and(|record| record.wiki);
        match (project.entry.wiki_repository, exists) {
            (Some(RepositoryPresence::Present), false) => {
                self.wikis.push(project.id.0);
                run.added(&what);
            }
            (Some(RepositoryPresence::Absent), true) => {
                self.no_wikis.push(project.id.0);
                run.removed(&what);
            }
            _ => {}
        }
    }
}

impl ObjectKind for RepositorySet {
    type Entry<'d> = AppliedProject<'d>;
    const NOUN: &'static str = "repositories";

    fn position<'e>(entry: &'e Self::Entry<'_>) -> &'e EntryPosition {
        &entry.position
    }

    async fn load(&mut self, run: &mut ApplyRun<'_>, entries: &[Self::Entry<'_>]) -> Result<()> {
        let ids: Vec<i64> = entries.iter().map(|project| project.id.0).collect();
        self.known = repositories::list(&mut *run.conn, &ids).await?;
        let is_made = |project: &&AppliedProject<'_>| {
            let exists = self.known.get(&project.id).is_some_and(|record| record.storage.is_some());
            project.entry.repository.is_none() && project.entry.default_branch.is_none() && !exists
        };
        let made: Vec<i64> = entries.iter().filter(is_made).map(|project| project.id.0).collect();
        if !made.is_empty() {
            self.initial_branches = repositories::list_initial_branches(&mut *run.conn, &made).await?;
        }
        Ok(())
    }

    async fn diff(&mut self, run: &mut ApplyRun<'_>, project: &Self::Entry<'_>) -> Result<()> {
        run.at(project.position.order.part(part::REPOSITORY));
        self.diff_code(run, project).await;
        self.diff_wiki(run, project);
        Ok(())
    }

    async fn write(&mut self, run: &mut ApplyRun<'_>) -> Result<()> {
        let (conn, now) = (&mut *run.conn, run.now);
        if !self.absent.is_empty() {
            repositories::delete(&mut *conn, &self.absent).await?;
        }
        if !self.no_longer_missing.is_empty() {
            repositories::delete_missing(&mut *conn, &self.no_longer_missing).await?;
        }
        if !self.present.is_empty() {
            repositories::upsert(&mut *conn, &self.present).await?;
        }
        if !self.missing.is_empty() {
            repositories::insert_missing(&mut *conn, &self.missing, now).await?;
        }
        if !self.default_branches.is_empty() {
            repositories::insert_default_branches(&mut *conn, &self.default_branches, now).await?;
        }
        if !self.wikis.is_empty() {
            repositories::insert_wikis(&mut *conn, &self.wikis).await?;
        }
        if !self.no_wikis.is_empty() {
            repositories::delete_wikis(&mut *conn, &self.no_wikis).await?;
        }
        *self = Self::default();
        Ok(())
    }
}
