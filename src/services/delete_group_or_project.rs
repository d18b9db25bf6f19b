//! A client deletes a group or a project: at once, or marked until its time has come.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::end_provisioning::{self, EndingNamespace};
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log, delete_places, place_groups, place_projects};
use crate::domain::audit::{AuditAuthor, AuditEntity, AuditEvent, EventName};
use crate::domain::ids::{NamespaceId, ProjectId, UserId};
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::store::deletions::DoomedGroup;
use crate::store::sets::groups::{self as group_sets, GroupRecord};
use crate::store::sets::projects::{self as project_sets, ProjectRecord};
use crate::store::{
    self, Db, audit_events, deletion_marks, deletions, derived, removed_repositories, saml_group_links, settings,
    subscriptions,
};

/// How a group or project is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionWish {
    /// As the instance has it.
    Usual,
    /// Now, though the instance waits: of what is marked already.
    Permanently,
}

/// Why a group or project is not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionRefusal {
    /// It is gone.
    Gone,
    /// Somebody pays for it.
    Subscribed,
    /// It is marked for deletion already.
    MarkedAlready,
    /// It is not marked, so that it cannot be deleted before its time.
    NotMarked,
    /// Of root groups, nothing is deleted before its time.
    RootGroup,
    /// It holds so many projects that one transaction would keep others waiting for too long.
    TooLarge(i64),
}

/// Projects that are deleted at once, at most.
pub const MOST_AT_ONCE: i64 = 2_000;

type DeletionResult<T> = ServiceResult<T, DeletionRefusal>;

fn refused<T>(refusal: DeletionRefusal) -> DeletionResult<T> {
    Err(ServiceError::Refused(refusal))
}

/// Who deletes: a user, or the clock.
#[derive(Debug, Clone)]
pub enum DeletedBy<'a> {
    /// A user.
    User(&'a ActingUser),
    /// The installation, since the time has come.
    Time,
}

impl DeletedBy<'_> {
    fn event(&self, name: EventName, entity: AuditEntity, message: &str) -> AuditEvent {
        match self {
            Self::User(user) => user.event(name, entity, message),
            Self::Time => AuditEvent {
                name,
                author: AuditAuthor::System,
                entity,
                target: None,
                message: message.to_owned(),
                ip_address: None,
            },
        }
    }

    fn ledger(&self) -> LedgerAuthor {
        let actor = match self {
            Self::User(user) => LedgerActor::Administrator(user.author.id, user.author.username.clone()),
            Self::Time => LedgerActor::Operator,
        };
        LedgerAuthor { actor, request_id: None }
    }
}

/// Deletes a project, or marks it. Its repositories are removed by jobs.
pub async fn delete_project(
    db: &Db,
    id: ProjectId,
    wish: DeletionWish,
    by: &DeletedBy<'_>,
    now: DateTime<Utc>,
) -> DeletionResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = delete_project_within(&mut transaction, id, wish, by, now).await?;
        transaction.commit().await?;
        DeletionResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

async fn delete_project_within(
    conn: &mut PgConnection,
    id: ProjectId,
    wish: DeletionWish,
    by: &DeletedBy<'_>,
    now: DateTime<Utc>,
) -> DeletionResult<AuditEvent> {
    let Some(record) = project_sets::list(&mut *conn, &[id.0]).await?.remove(&id) else {
        return refused(DeletionRefusal::Gone);
    };
    derived::lock_root(conn, record.project_namespace).await?;
    let Some(record) = project_sets::list(&mut *conn, &[id.0]).await?.remove(&id) else {
        return refused(DeletionRefusal::Gone);
    };
    let marked = deletion_marks::find_of_project(&mut *conn, id).await?;
    let entity = AuditEntity::Project(id, record.path.clone());
    let event = if waits(conn, marked, wish).await? {
        mark_project(conn, id, &record, now).await?;
        by.event(EventName::ProjectDestroyed, entity, "Marked the project for deletion")
    } else {
        let repositories = deletions::list_repositories(&mut *conn, &[id]).await?;
        removed_repositories::insert(conn, &repositories).await?;
        delete_places::delete_projects(conn, &[id]).await?;
        by.event(EventName::ProjectDestroyed, entity, "Deleted the project")
    };
    audit_events::insert(conn, &event, now).await?;
    Ok(event)
}

/// Whether what is to be deleted is marked first, and waits.
async fn waits(conn: &mut PgConnection, marked: Option<NaiveDate>, wish: DeletionWish) -> DeletionResult<bool> {
    let period = settings::find(conn).await?.deletion_adjourned_period;
    match (period, marked, wish) {
        (..=0, ..) | (_, Some(_), DeletionWish::Permanently) => Ok(false),
        (_, None, DeletionWish::Permanently) => refused(DeletionRefusal::NotMarked),
        (_, Some(_), DeletionWish::Usual) => refused(DeletionRefusal::MarkedAlready),
        (_, None, DeletionWish::Usual) => Ok(true),
    }
}

async fn mark_project(
    conn: &mut PgConnection,
    id: ProjectId,
    record: &ProjectRecord,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let mut row = record.row.clone();
    row.path = marked_path(&row.path, id.0);
    place_projects::relocate(conn, (id, record.project_namespace), &record.row, &row).await?;
    deletion_marks::mark_project(conn, id, now.date_naive()).await
}

/// The path until the time has come, so that the old one is free.
fn marked_path(path: &str, id: i64) -> String {
    let suffix = format!("-deletion_scheduled-{id}");
    let kept: String = path.chars().take(255 - suffix.len()).collect();
    format!("{kept}{suffix}")
}

/// Removes projects that go with what they are in: with jobs for their repositories, and an audit event for each.
pub async fn remove_projects(
    conn: &mut PgConnection,
    ids: &[ProjectId],
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> store::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let repositories = deletions::list_repositories(&mut *conn, ids).await?;
    removed_repositories::insert(conn, &repositories).await?;
    for (id, path) in deletions::list_paths(&mut *conn, ids).await? {
        let event = gone_with(EventName::ProjectDestroyed, AuditEntity::Project(id, path), author);
        audit_events::insert(&mut *conn, &event, now).await?;
    }
    delete_places::delete_projects(conn, ids).await
}

/// What is written down of a group or project that goes with something around it.
fn gone_with(name: EventName, entity: AuditEntity, author: &LedgerAuthor) -> AuditEvent {
    let author = match &author.actor {
        LedgerActor::Administrator(id, username) => AuditAuthor::User(*id, username.clone()),
        LedgerActor::CustomersPortal | LedgerActor::Operator | LedgerActor::SeatRefresh => AuditAuthor::System,
    };
    let message = "Deleted with what it was in".to_owned();
    AuditEvent { name, author, entity, target: None, message, ip_address: None }
}

/// Deletes a group with all that is in it, or marks it.
pub async fn delete_group(
    db: &Db,
    id: NamespaceId,
    wish: DeletionWish,
    by: &DeletedBy<'_>,
    now: DateTime<Utc>,
) -> DeletionResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = delete_group_within(&mut transaction, id, wish, by, now).await?;
        transaction.commit().await?;
        DeletionResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

async fn delete_group_within(
    conn: &mut PgConnection,
    id: NamespaceId,
    wish: DeletionWish,
    by: &DeletedBy<'_>,
    now: DateTime<Utc>,
) -> DeletionResult<AuditEvent> {
    // Before any row is written: providers hold what this changes in the other order.
    saml_group_links::lock_links(&mut *conn).await?;
    derived::lock_root(conn, id).await?;
    let Some(record) = group_sets::list(&mut *conn, &[id.0]).await?.remove(&id) else {
        return refused(DeletionRefusal::Gone);
    };
    let groups = deletions::list_groups(&mut *conn, id).await?;
    if find_paid(conn, &groups).await?.is_some() {
        return refused(DeletionRefusal::Subscribed);
    }
    let within: Vec<i64> = groups.iter().map(|group| group.id.0).collect();
    let projects = deletions::count_projects(&mut *conn, &within).await?;
    if projects > MOST_AT_ONCE {
        return refused(DeletionRefusal::TooLarge(projects));
    }
    let marked = deletion_marks::find_of_group(&mut *conn, id).await?;
    let waits = waits(conn, marked, wish).await?;
    if wish == DeletionWish::Permanently && record.row.parent_id.is_none() && marked.is_some() {
        return refused(DeletionRefusal::RootGroup);
    }
    let entity = AuditEntity::Group(id, record.path.clone());
    let event = if waits {
        let user = if let DeletedBy::User(user) = by { user.id() } else { UserId(0) };
        mark_group(conn, id, &record, user, now).await?;
        by.event(EventName::GroupDestroyed, entity, "Marked the group for deletion")
    } else {
        remove_group(conn, id, &by.ledger(), now).await?;
        by.event(EventName::GroupDestroyed, entity, "Deleted the group")
    };
    audit_events::insert(conn, &event, now).await?;
    Ok(event)
}

/// The path of the first of these groups that somebody pays for.
pub async fn find_paid(conn: &mut PgConnection, groups: &[DoomedGroup]) -> store::Result<Option<String>> {
    for group in groups.iter().filter(|group| group.provisioned) {
        let subscription = subscriptions::find(&mut *conn, group.id).await?;
        if subscription.is_some_and(|subscription| subscription.terms.is_paid()) {
            return Ok(Some(group.path.clone()));
        }
    }
    Ok(None)
}

async fn mark_group(
    conn: &mut PgConnection,
    id: NamespaceId,
    record: &GroupRecord,
    by: UserId,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let mut row = record.row.clone();
    row.path = marked_path(&row.path, id.0);
    place_groups::relocate(conn, id, &record.row, &row).await?;
    deletion_marks::mark_group(conn, id, by, now.date_naive()).await
}

/// Removes a group with all that is in it: subgroups, projects, what it has bought, and what its members had by it. The
/// caller holds the locks of [`saml_group_links::lock_links`] and [`derived::lock_root`].
pub async fn remove_group(
    conn: &mut PgConnection,
    id: NamespaceId,
    author: &LedgerAuthor,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let groups = deletions::list_groups(&mut *conn, id).await?;
    let ids: Vec<NamespaceId> = groups.iter().map(|group| group.id).collect();
    let raw: Vec<i64> = ids.iter().map(|id| id.0).collect();
    // Who reached something else by a share with one of these.
    let users = derived::users_reaching(&mut *conn, &ids).await?;
    let projects = deletions::list_projects(&mut *conn, &raw).await?;
    remove_projects(conn, &projects, author, now).await?;
    for group in groups.iter().filter(|group| group.id != id) {
        let entity = AuditEntity::Group(group.id, group.path.clone());
        audit_events::insert(&mut *conn, &gone_with(EventName::GroupDestroyed, entity, author), now).await?;
    }
    let wikis = deletions::list_group_wikis(&mut *conn, &raw).await?;
    removed_repositories::insert(conn, &wikis).await?;
    for group in groups.iter().filter(|group| group.provisioned) {
        let ending = EndingNamespace { id: group.id, path: &group.path, author, now };
        end_provisioning::end_all(conn, &ending).await?;
    }
    delete_places::delete_groups(conn, &ids).await?;
    derived::refresh_authorizations(conn, &users, now.date_naive()).await
}

/// Deletes what was marked so many days ago; how much that was. What cannot be deleted is told to the log, and keeps
/// nothing else waiting.
pub async fn delete_due(db: &Db, now: DateTime<Utc>) -> store::Result<usize> {
    let due = deletion_marks::list_due(db.pool(), now.date_naive()).await?;
    let mut deleted = 0;
    for group in due.groups {
        match end_group(db, group, now).await {
            Ok(()) => deleted += 1,
            Err(ServiceError::Refused(refusal)) => {
                tracing::warn!(group.id = group.0, ?refusal, "a group whose time had come is not deleted");
            }
            Err(ServiceError::Store(error)) => {
                tracing::warn!(group.id = group.0, %error, "a group whose time had come is deleted later");
            }
        }
    }
    for project in due.projects {
        match delete_project(db, project, DeletionWish::Permanently, &DeletedBy::Time, now).await {
            Ok(()) => deleted += 1,
            // It has gone with a group, or somebody was faster.
            Err(ServiceError::Refused(_)) => {}
            Err(ServiceError::Store(error)) => {
                tracing::warn!(project.id = project.0, %error, "a project whose time had come is deleted later");
            }
        }
    }
    Ok(deleted)
}

async fn end_group(db: &Db, group: NamespaceId, now: DateTime<Utc>) -> DeletionResult<()> {
    let mut transaction = db.begin().await?;
    saml_group_links::lock_links(&mut *transaction).await?;
    derived::lock_root(&mut transaction, group).await?;
    let record = group_sets::list(&mut *transaction, &[group.0]).await?.remove(&group);
    let marked = deletion_marks::find_of_group(&mut *transaction, group).await?;
    let Some(record) = record.filter(|_| marked.is_some()) else { return refused(DeletionRefusal::Gone) };
    let groups = deletions::list_groups(&mut *transaction, group).await?;
    if find_paid(&mut transaction, &groups).await?.is_some() {
        return refused(DeletionRefusal::Subscribed);
    }
    remove_group(&mut transaction, group, &DeletedBy::Time.ledger(), now).await?;
    let entity = AuditEntity::Group(group, record.path);
    let event = DeletedBy::Time.event(EventName::GroupDestroyed, entity, "Deleted the group, whose time had come");
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    audit_log::log(&event);
    Ok(())
}
