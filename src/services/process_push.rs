//! After a push: who was active when, the events of the feed, and the deliveries to web hooks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::hook_payload::{self, InstallationUrls, PushPayload};
use super::pushed_repositories::{ChangedFiles, NewCommits, PushedRepositories};
use crate::crypto::attr_encrypted::ColumnKey;
use crate::domain::access::ActorName;
use crate::domain::ids::{ProjectId, PushId};
use crate::domain::push::{self, ProtectedRefs, RefAction, RefChange, RefGroup, RefType, is_zero};
use crate::domain::repository::GlRepository;
use crate::store::events::{EventRefs, PushEvent};
use crate::store::pushed_projects::{PushAuthor, PushedProject};
use crate::store::received_pushes::{self, ReceivedPush};
use crate::store::web_hooks::{HookSubscriber, ReceiverAnswer};
use crate::store::{self, Db, actors, events, jobs, pushed_projects, web_hooks};

/// What pushes are processed with.
#[derive(Debug, Clone, Copy)]
pub struct PushProcessor<'a> {
    /// The database.
    pub db: &'a Db,
    /// What hooks' columns are read with.
    pub key: &'a ColumnKey,
    /// What is asked about repositories.
    pub repositories: &'a PushedRepositories,
    /// The installation, as bodies name it.
    pub urls: &'a InstallationUrls,
}

/// What a push sets off, made ready before the transaction that writes it down.
struct PreparedPush<'a> {
    project: PushedProject,
    author: Option<PushAuthor>,
    groups: Vec<PreparedGroup<'a>>,
    hooks: Vec<HookSubscriber>,
    protected: ProtectedRefs,
}

struct PreparedGroup<'a> {
    action: RefAction,
    ref_type: RefType,
    size: usize,
    /// Each change by itself, where there are few enough for events or hooks.
    changes: Vec<PreparedChange<'a>>,
}

struct PreparedChange<'a> {
    change: RefChange<'a>,
    brought: Option<NewCommits>,
    /// What each of the commits changes, where somebody is told of them.
    files: Vec<ChangedFiles>,
}

/// Writes down what a push sets off, once: asks first, and then writes all of it in one transaction.
pub async fn process(processor: PushProcessor<'_>, id: PushId, now: DateTime<Utc>) -> store::Result<()> {
    let Some(push) = received_pushes::find_unprocessed(processor.db, id).await? else {
        // An earlier attempt did everything and could not say so any more.
        return Ok(());
    };
    let repository = GlRepository::parse(&push.gl_repository).ok();
    let prepared = match repository {
        Some(GlRepository::Project(project)) => prepare(processor, project, &push).await?,
        _ => None,
    };
    let mut transaction = processor.db.begin().await?;
    if !received_pushes::update_processed(&mut *transaction, id, now).await? {
        return Ok(());
    }
    note_activity(&mut transaction, repository, push.received_at).await?;
    if let Some(GlRepository::Project(project) | GlRepository::Wiki(project)) = repository {
        jobs::insert_refresh_repository(&mut *transaction, project).await?;
    }
    match &prepared {
        Some(prepared) => write(processor, &mut transaction, id, &push, prepared).await?,
        None if matches!(repository, Some(GlRepository::Project(_))) => {
            tracing::warn!(push.id = id.0, gl_repository = push.gl_repository, "a push to a project that is gone");
        }
        None => {}
    }
    transaction.commit().await?;
    Ok(())
}

/// All that is asked of others. Nothing is locked meanwhile.
async fn prepare<'a>(
    processor: PushProcessor<'_>,
    project: ProjectId,
    push: &'a ReceivedPush,
) -> store::Result<Option<PreparedPush<'a>>> {
    let Some(mut project) = pushed_projects::find(processor.db, project).await? else { return Ok(None) };
    let user = actors::find_acting_user(processor.db, &ActorName::identified(&push.identifier)).await?;
    let author = match user {
        Some(user) => pushed_projects::find_author(processor.db, user.id).await?,
        None => None,
    };
    let hooks = if project.silent {
        Vec::new()
    } else {
        web_hooks::list_listening(processor.db, project.id, processor.key).await?
    };
    let protected = if hooks.is_empty() {
        ProtectedRefs::default()
    } else {
        pushed_projects::find_protected_refs(processor.db, project.id).await?
    };
    let groups = push::groups(&push.changes);
    // The report of the first push settles it, unless Gitaly gave no answer then.
    let mut known = project.default_branch_born;
    if !known && let Some(head) = processor.repositories.head(&project).await {
        known = true;
        project.default_branch_born = head.branch.is_some();
        project.default_branch = head.branch.or(head.named);
    }
    let mut prepared = Vec::new();
    for group in groups {
        prepared.push(prepare_group(processor, &project, &hooks, group, known).await);
    }
    Ok(Some(PreparedPush { project, author, groups: prepared, hooks, protected }))
}

/// What a new branch has brought is counted from the default branch, and cannot be told while nobody knows that one.
async fn prepare_group<'a>(
    processor: PushProcessor<'_>,
    project: &PushedProject,
    hooks: &[HookSubscriber],
    group: RefGroup<'a>,
    default_branch_known: bool,
) -> PreparedGroup<'a> {
    let size = group.changes.len();
    let mut changes = Vec::new();
    if size <= project.activities_limit.max(project.hooks_limit) {
        for change in group.changes {
            let brought = if default_branch_known || !is_zero(change.old) {
                processor.repositories.brought(project, change.name, change.old, change.new).await
            } else {
                None
            };
            let told = size <= project.hooks_limit && hooks.iter().any(|hook| hook.listening.subscribes_to(&change));
            let files = match &brought {
                Some(brought) if told => processor.repositories.changed_files(project, &brought.commits).await,
                Some(_) | None => Vec::new(),
            };
            changes.push(PreparedChange { change, brought, files });
        }
    }
    PreparedGroup { action: group.action, ref_type: group.ref_type, size, changes }
}

async fn note_activity(db: &mut PgConnection, on: Option<GlRepository>, at: DateTime<Utc>) -> store::Result<()> {
    match on {
        Some(GlRepository::Project(id)) => pushed_projects::update_activity(db, id, true, at).await,
        Some(GlRepository::Wiki(id)) => pushed_projects::update_activity(db, id, false, at).await,
        Some(GlRepository::Snippet(id)) => pushed_projects::update_snippet(db, id, at).await,
        // Nothing is kept of these but their repositories.
        Some(GlRepository::GroupWiki(_) | GlRepository::Design(_)) | None => Ok(()),
    }
}

async fn write(
    processor: PushProcessor<'_>,
    db: &mut PgConnection,
    id: PushId,
    push: &ReceivedPush,
    prepared: &PreparedPush<'_>,
) -> store::Result<()> {
    let project = &prepared.project;
    // Events and hooks name whoever pushed; of somebody who is gone they say nothing.
    let Some(author) = &prepared.author else { return Ok(()) };
    let mut number = 0;
    let event = Uuid::new_v4();
    for group in &prepared.groups {
        for refs in events_of(group, project.activities_limit) {
            let event = PushEvent {
                push: (id, number),
                project: project.id,
                author: author.id,
                at: push.received_at,
                action: group.action,
                ref_type: group.ref_type,
                refs,
            };
            events::insert_push(&mut *db, &event).await?;
            number += 1;
        }
        if group.size > project.hooks_limit {
            continue;
        }
        for PreparedChange { change, brought, files } in &group.changes {
            let told: Vec<_> = prepared.hooks.iter().filter(|hook| hook.listening.subscribes_to(change)).collect();
            if told.is_empty() {
                continue;
            }
            let body = PushPayload {
                project,
                author,
                change,
                protected: prepared.protected.cover(change),
                brought: brought.as_ref(),
                files,
                push_options: &push.push_options,
            };
            let trigger = match group.ref_type {
                RefType::Branch => "push_hooks",
                RefType::Tag => "tag_push_hooks",
            };
            tell(db, &told, trigger, event, &hook_payload::push(processor.urls, &body)).await?;
        }
    }
    let told: Vec<_> = prepared.hooks.iter().filter(|hook| hook.listening.repository_update_events).collect();
    let changes: Vec<_> = push::parse(&push.changes).collect();
    if !told.is_empty() && !changes.is_empty() {
        let body = hook_payload::repository_update(processor.urls, project, author, &changes);
        tell(db, &told, "repository_update_hooks", event, &body).await?;
    }
    Ok(())
}

/// Enqueues a delivery to each of the hooks. What is longer than anything that GitLab sends is not sent, and the hooks'
/// logs say so.
async fn tell(
    db: &mut PgConnection,
    hooks: &[&HookSubscriber],
    trigger: &str,
    event: Uuid,
    body: &Value,
) -> store::Result<()> {
    let body = body.to_string();
    for hook in hooks {
        if body.len() > hook_payload::LONGEST {
            let error = Some(format!("the message is longer than {} bytes", hook_payload::LONGEST));
            let answer = ReceiverAnswer { status: None, body: String::new(), error, duration: Duration::ZERO };
            web_hooks::insert_log(db, hook.id, trigger, None, &answer).await?;
            continue;
        }
        let delivery = web_hooks::insert_delivery(&mut *db, hook.id, trigger, event, &body).await?;
        jobs::insert_deliver_webhook(&mut *db, delivery, &hook.receiver).await?;
    }
    Ok(())
}

/// One event a ref, or one for all of them where they are too many.
fn events_of<'a>(group: &'a PreparedGroup<'a>, limit: usize) -> Vec<EventRefs<'a>> {
    if group.size > limit {
        return vec![EventRefs::Many(i32::try_from(group.size).unwrap_or(i32::MAX))];
    }
    let one = |PreparedChange { change, brought, .. }: &'a PreparedChange<'a>| {
        let newest = brought.as_ref().and_then(|brought| brought.commits.last());
        EventRefs::One {
            name: change.short_name().map_or(change.name, |(_, name)| name),
            from: Some(change.old).filter(|id| !is_zero(id)),
            to: Some(change.new).filter(|id| !is_zero(id)),
            commit_count: brought.as_ref().map_or(0, |brought| brought.total),
            commit_title: newest.and_then(|commit| commit.message().split(['\r', '\n']).next()),
        }
    };
    group.changes.iter().map(one).collect()
}
