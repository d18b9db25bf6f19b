//! A client changes a project, archives it, or moves it to another namespace.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::create_project::{check_place, check_visibility};
use super::project_change::ProjectChange;
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log, place_projects};
use crate::domain::audit::{AuditEntity, AuditEvent, EventName};
use crate::domain::default_branch::is_branch_name;
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::domain::level::VisibilityLevel;
use crate::domain::project_creation::{ProjectCreator, place_denial};
use crate::domain::record_faults::RecordFaults;
use crate::domain::rest_policy::RestOperation;
use crate::gitaly::{CallContext, GitalyClient, GitalyError};
use crate::store::members::MemberSource;
use crate::store::sets::groups as group_sets;
use crate::store::sets::projects::{self as project_sets, ProjectRecord};
use crate::store::{
    Db, actor_levels, audit_events, default_branches, derived, kept_settings, namespaces, project_creation as rows,
    repositories,
};

/// Why a project stays as it is.
#[derive(Debug)]
pub enum ProjectChangeRefusal {
    /// It is gone.
    NoSuchProject,
    /// There is no such namespace, or it is not for this user to put projects into.
    NoSuchNamespace,
    /// These things are wrong with it.
    Faults(RecordFaults),
    /// The repository has no such branch.
    NoSuchBranch(String),
    /// Its storage gave no answer.
    NoStorage(GitalyError),
    /// It cannot be moved there, for this reason.
    Impossible(String),
    /// The mover may not any more.
    Forbidden,
}

type ChangeResult<T> = ServiceResult<T, ProjectChangeRefusal>;

fn refused<T>(refusal: ProjectChangeRefusal) -> ChangeResult<T> {
    Err(ServiceError::Refused(refusal))
}

/// The project, in a tree in which nobody else changes anything until the transaction ends.
async fn lock(conn: &mut PgConnection, id: ProjectId) -> ChangeResult<ProjectRecord> {
    if let Some(record) = project_sets::list(&mut *conn, &[id.0]).await?.remove(&id) {
        derived::lock_root(conn, record.project_namespace).await?;
        if let Some(record) = project_sets::list(conn, &[id.0]).await?.remove(&id) {
            return Ok(record);
        }
    }
    refused(ProjectChangeRefusal::NoSuchProject)
}

/// Changes a project: what is said of it, and no more. HEAD is written before the rows, for a branch that is not there
/// refuses all.
pub async fn update(
    db: &Db,
    gitaly: &GitalyClient,
    id: ProjectId,
    stated: &ProjectChange,
    by: &ActingUser,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> ChangeResult<()> {
    if let Some(branch) = &stated.default_branch {
        // All else is judged first, and undone: HEAD cannot be written in a transaction.
        let mut transaction = db.begin().await?;
        update_within(&mut transaction, id, stated, by, now).await?;
        drop(transaction);
        write_head(db, gitaly, id, branch, correlation_id, now).await?;
    }
    let events = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let events = update_within(&mut transaction, id, stated, by, now).await?;
        transaction.commit().await?;
        ChangeResult::Ok(events)
    })
    .await?;
    events.iter().for_each(audit_log::log);
    Ok(())
}

async fn update_within(
    conn: &mut PgConnection,
    id: ProjectId,
    stated: &ProjectChange,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ChangeResult<Vec<AuditEvent>> {
    let ProjectRecord { row: before, project_namespace, path, features: features_before } = lock(conn, id).await?;
    let (mut row, mut features) = (before.clone(), features_before.clone());
    stated.put_into(&mut row, &mut features);
    let namespace_path = path.rsplit_once('/').map_or("", |(namespace, _)| namespace).to_owned();
    let new_path = format!("{namespace_path}/{}", row.path);
    let mut faults = RecordFaults::default();
    stated.check(&mut faults);
    let renamed = row.path != before.path || row.name != before.name;
    if renamed {
        check_place(conn, &mut faults, &namespace_path, &row, Some((project_namespace, &path))).await?;
    }
    if row.visibility_level != before.visibility_level {
        let namespace = NamespaceId(before.namespace_id);
        let widest = group_sets::list_visibilities(&mut *conn, &[namespace.0]).await?.remove(&namespace);
        check_visibility(&mut faults, &row, widest);
    }
    faults.into_result().map_err(|faults| ServiceError::Refused(ProjectChangeRefusal::Faults(faults)))?;

    if renamed {
        place_projects::relocate(conn, (id, project_namespace), &before, &row).await?;
    }
    if features != features_before {
        project_sets::upsert_features(&mut *conn, &[(id.0, features)]).await?;
    }
    kept_settings::update(&mut *conn, id, &stated.kept).await?;
    let mut events = Vec::new();
    let events_path = new_path.clone();
    if row.path != before.path {
        let entity = AuditEntity::Project(id, new_path.clone());
        events.push(by.event(EventName::ProjectPathUpdated, entity, format!("Was {path}")));
    }
    if row.visibility_level != before.visibility_level {
        let level = VisibilityLevel::from_level;
        let message = format!("Was {}, is {}", level(before.visibility_level), level(row.visibility_level));
        events.push(by.event(EventName::ProjectVisibilityUpdated, AuditEntity::Project(id, new_path), message));
    }
    if let Some(branch) = &stated.default_branch {
        let entity = AuditEntity::Project(id, events_path.clone());
        events.push(by.event(EventName::ProjectDefaultBranchUpdated, entity, format!("HEAD names {branch}")));
    }
    project_sets::update(conn, &[(id.0, before, row)]).await?;
    for event in &events {
        audit_events::insert(&mut *conn, event, now).await?;
    }
    Ok(events)
}

/// Lets HEAD name a branch that the repository has; an empty repository takes any.
async fn write_head(
    db: &Db,
    gitaly: &GitalyClient,
    id: ProjectId,
    branch: &str,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> ChangeResult<()> {
    let missing = || refused(ProjectChangeRefusal::NoSuchBranch(branch.to_owned()));
    let Some(places) = repositories::find(db.pool(), id).await? else {
        return refused(ProjectChangeRefusal::NoSuchProject);
    };
    let known = default_branches::find(db.pool(), id).await?;
    if known.as_ref().is_some_and(|known| known.name == branch) {
        return Ok(());
    }
    if !is_branch_name(branch) {
        return missing();
    }
    if !places.code {
        repositories::update_missing(db.pool(), id, branch).await?;
        let branch = default_branches::DefaultBranch { name: branch.to_owned(), born: false };
        return Ok(default_branches::upsert(db.pool(), id, &branch, now).await?);
    }
    let context = CallContext::new(correlation_id, Instant::now() + Duration::from_secs(20));
    let written = async {
        let repository = gitaly.repository(places.code(), context)?;
        let there = repository.ref_exists(format!("refs/heads/{branch}").as_bytes()).await?;
        if !there && repository.has_branches().await? {
            return Ok(None);
        }
        repository.write_head(branch).await?;
        Ok(Some(there))
    };
    match written.await {
        Ok(Some(born)) => {
            let branch = default_branches::DefaultBranch { name: branch.to_owned(), born };
            Ok(default_branches::upsert(db.pool(), id, &branch, now).await?)
        }
        Ok(None) => missing(),
        Err(error) => refused(ProjectChangeRefusal::NoStorage(error)),
    }
}

/// Archives a project, or takes it out of the archive; again, too.
pub async fn archive(db: &Db, id: ProjectId, archived: bool, by: &ActingUser, now: DateTime<Utc>) -> ChangeResult<()> {
    let event = retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let record = lock(&mut transaction, id).await?;
        if record.row.archived == archived {
            return ChangeResult::Ok(None);
        }
        let mut row = record.row.clone();
        row.archived = archived;
        project_sets::update(&mut transaction, &[(id.0, record.row, row)]).await?;
        let name = if archived { EventName::ProjectArchived } else { EventName::ProjectUnarchived };
        let message = if archived { "Archived the project" } else { "Took the project out of the archive" };
        let event = by.event(name, AuditEntity::Project(id, record.path), message);
        audit_events::insert(&mut *transaction, &event, now).await?;
        transaction.commit().await?;
        Ok(Some(event))
    })
    .await?;
    event.iter().for_each(audit_log::log);
    Ok(())
}

/// Moves a project into another namespace, where the mover may make projects.
pub async fn transfer(
    db: &Db,
    id: ProjectId,
    to: NamespaceId,
    mover: ProjectCreator,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ChangeResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = transfer_within(&mut transaction, id, to, mover, by, now).await?;
        transaction.commit().await?;
        ChangeResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

async fn transfer_within(
    conn: &mut PgConnection,
    id: ProjectId,
    to: NamespaceId,
    mover: ProjectCreator,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ChangeResult<AuditEvent> {
    let impossible = |sentence: &str| refused(ProjectChangeRefusal::Impossible(sentence.to_owned()));
    let Some(record) = project_sets::list(&mut *conn, &[id.0]).await?.remove(&id) else {
        return refused(ProjectChangeRefusal::NoSuchProject);
    };
    derived::lock_trees(&mut *conn, &[record.project_namespace, to]).await?;
    let ProjectRecord { row: before, project_namespace, path, .. } = lock(conn, id).await?;
    let today = now.date_naive();
    let level = actor_levels::find(&mut *conn, MemberSource::Project(id, project_namespace), mover.id, today).await?;
    if !by.admin && level < RestOperation::DisposeOfProject.level() {
        return refused(ProjectChangeRefusal::Forbidden);
    }
    let parent = match namespaces::find_path(&mut *conn, to).await? {
        Some(path) => rows::find_parent(&mut *conn, &path, mover.id, today).await?,
        None => None,
    };
    let Some(parent) = parent else { return refused(ProjectChangeRefusal::NoSuchNamespace) };
    if before.namespace_id == to.0 {
        return impossible("Project is already in this namespace.");
    }
    if place_denial(&parent, mover).is_some() || parent.archived {
        return impossible("You don't have permission to transfer projects into the new namespace.");
    }
    let mut row = before.clone();
    row.namespace_id = to.0;
    let mut faults = RecordFaults::default();
    check_place(conn, &mut faults, &parent.full_path, &row, None).await?;
    if !faults.is_empty() {
        return impossible("Project with same name or path in target namespace already exists");
    }
    let widest = group_sets::list_visibilities(&mut *conn, &[to.0]).await?.remove(&to);
    check_visibility(&mut faults, &row, widest);
    if let Some((_, faults)) = faults.iter().next() {
        return impossible(&faults.join(" "));
    }

    let mut users = place_projects::relocate(conn, (id, project_namespace), &before, &row).await?.unwrap_or_default();
    users.extend(derived::users_reaching(&mut *conn, &[project_namespace]).await?);
    derived::refresh_authorizations(conn, &users, today).await?;
    let entity = AuditEntity::Project(id, format!("{}/{}", parent.full_path, row.path));
    let event = by.event(EventName::ProjectNamespaceUpdated, entity, format!("Was {path}"));
    audit_events::insert(conn, &event, now).await?;
    Ok(event)
}
