//! `snippets:`, of projects and of users: as far as git depends on them.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::projects::RepositoryPresence;
use crate::document::changes::FieldChanges;
use crate::document::place::DocumentPlace;
use crate::document::run::ApplyRun;
use crate::document::words::{Ensure, StatedId, VisibilityWord};
use crate::domain::ids::SnippetId;
use crate::store::Result;
use crate::store::namespaces::PathOwner;
use crate::store::snippets::{self, SnippetRow};

/// A snippet, found by its id.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnippetEntry {
    /// Its id, chosen on creation and part of its URL.
    pub id: StatedId,
    /// Whose it is.
    #[schemars(length(min = 1, max = 255))]
    pub author: Option<String>,
    /// The project that it belongs to, by its full path; nobody's but its author's where it is left out.
    pub project: Option<String>,
    /// Who may see it; a new one is private, unless stated.
    pub visibility: Option<VisibilityWord>,
    /// Nobody pushes.
    pub repository_read_only: Option<bool>,
    /// The Gitaly storage of its repository; of a new one `default`, unless stated.
    #[schemars(length(min = 1, max = 255))]
    pub storage: Option<String>,
    /// Whether the repository exists on its storage; of a new one it does, unless stated.
    pub repository: Option<RepositoryPresence>,
    /// `absent` removes it; its repository stays on the storage.
    #[serde(default)]
    pub ensure: Ensure,
}

/// Applies a snippet.
pub async fn apply(run: &mut ApplyRun<'_>, place: &DocumentPlace, stated: &SnippetEntry) -> Result<()> {
    let id = SnippetId(stated.id.0);
    let what = format!("snippet {id}");
    if stated.ensure.is_absent() {
        if snippets::delete(&mut *run.conn, id).await? {
            run.removed(&what);
        }
        return Ok(());
    }
    let author = match &stated.author {
        None => None,
        Some(username) => match run.user(&place.key("author"), username).await? {
            Some(id) => Some(id.0),
            None => return Ok(()),
        },
    };
    let Some(project) = find_project(run, place, stated).await? else { return Ok(()) };
    let existing = snippets::find(&mut *run.conn, id).await?;
    if let Some(row) = &existing
        && stated.project.is_some()
        && row.project_id != project
    {
        run.problem(&place.key("project"), "must stay what it is: a snippet does not move");
        return Ok(());
    }
    let created = existing.is_none();
    let mut row = match (existing, author) {
        (Some(row), _) => row,
        (None, Some(author_id)) => {
            SnippetRow { author_id, project_id: project, visibility_level: 0, repository_read_only: false }
        }
        (None, None) => {
            run.problem(&place.key("author"), "is missing: a new snippet is somebody's");
            return Ok(());
        }
    };
    let mut changes = FieldChanges::default();
    changes.set("author", &mut row.author_id, author);
    changes.word("visibility", &mut row.visibility_level, stated.visibility);
    changes.set("repository_read_only", &mut row.repository_read_only, stated.repository_read_only);
    if created {
        snippets::insert(&mut *run.conn, id, &row).await?;
        run.added(&what);
    } else if !changes.is_empty() {
        snippets::update(&mut *run.conn, id, &row).await?;
        run.updated(&what, &changes);
    }
    apply_repository(run, place, id, stated, created).await?;
    run.name("snippets", &id.to_string(), json!({ "id": id.0 }));
    Ok(())
}

/// The project that is stated, if any; nothing where there is no such project.
async fn find_project(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    stated: &SnippetEntry,
) -> Result<Option<Option<i64>>> {
    let Some(path) = &stated.project else { return Ok(Some(None)) };
    match run.path_owner(path).await? {
        Some(PathOwner::Project(id)) => return Ok(Some(Some(id.0))),
        Some(_) | None if run.has_failed(path) => {}
        Some(_) | None => run.problem(&place.key("project"), format!("there is no project {path}")),
    }
    Ok(None)
}

async fn apply_repository(
    run: &mut ApplyRun<'_>,
    place: &DocumentPlace,
    id: SnippetId,
    stated: &SnippetEntry,
    created: bool,
) -> Result<()> {
    let what = format!("repository of snippet {id}");
    let existing = snippets::find_repository_storage(&mut *run.conn, id).await?;
    let wanted = stated.repository.or(created.then_some(RepositoryPresence::Present));
    let stays_away = wanted == Some(RepositoryPresence::Absent) || (wanted.is_none() && existing.is_none());
    if stays_away && stated.storage.is_some() {
        let reason = "is where the repository is, and there is none: state `repository: present`";
        run.problem(&place.key("storage"), reason);
        return Ok(());
    }
    match (wanted, existing) {
        (Some(RepositoryPresence::Absent), Some(_)) => {
            snippets::delete_repository(&mut *run.conn, id).await?;
            run.removed(&what);
        }
        (Some(RepositoryPresence::Present), None) => {
            let storage = stated.storage.as_deref().unwrap_or("default");
            snippets::upsert_repository(run.conn, id, storage).await?;
            run.added(&what);
        }
        (Some(RepositoryPresence::Present) | None, Some(mut storage)) => {
            let mut changes = FieldChanges::default();
            changes.set("storage", &mut storage, stated.storage.clone());
            if !changes.is_empty() {
                snippets::upsert_repository(run.conn, id, &storage).await?;
                run.updated(&what, &changes);
            }
        }
        (Some(RepositoryPresence::Absent) | None, None) => {}
    }
    Ok(())
}
