//! A client moves a group with all that is in it to another place in the tree, or archives it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::retry::{RetryAfter, retried};
use super::write_group::{check_parent, check_place, lock};
use super::{ServiceError, ServiceResult, audit_log, place_groups};
use crate::domain::audit::{AuditEntity, AuditEvent, EventName};
use crate::domain::full_path::PathPosition;
use crate::domain::ids::NamespaceId;
use crate::domain::level::AccessLevel;
use crate::domain::place_names::{DEEPEST, check_path};
use crate::domain::record_faults::{RecordFaults, TAKEN};
use crate::domain::rest_policy::RestOperation;
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::sets::groups::{self as group_sets, GroupRecord};
use crate::store::{Db, actor_levels, audit_events, derived, group_members, namespaces, subscriptions};

/// Why a group stays where it is, or as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveRefusal {
    /// It, or the group that it is to be in, is gone.
    NoSuchGroup,
    /// For this reason, which is a sentence.
    Impossible(String),
    /// The mover may not any more.
    Forbidden,
    /// It is archived already.
    Archived,
    /// It is not archived.
    NotArchived,
}

type MoveResult<T> = ServiceResult<T, MoveRefusal>;

fn refused<T>(refusal: MoveRefusal) -> MoveResult<T> {
    Err(ServiceError::Refused(refusal))
}

fn impossible<T>(sentence: impl Into<String>) -> MoveResult<T> {
    refused(MoveRefusal::Impossible(sentence.into()))
}

/// Moves a group into another one, or to the root, where the mover becomes its owner if it has none of its own.
pub async fn transfer(
    db: &Db,
    group: NamespaceId,
    to: Option<NamespaceId>,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> MoveResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = transfer_within(&mut transaction, group, to, by, now).await?;
        transaction.commit().await?;
        MoveResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

async fn transfer_within(
    conn: &mut PgConnection,
    group: NamespaceId,
    to: Option<NamespaceId>,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> MoveResult<AuditEvent> {
    // Both trees at once, so that of two who move groups into each other's trees neither waits for the other.
    let both: Vec<NamespaceId> = [group].into_iter().chain(to).collect();
    derived::lock_trees(&mut *conn, &both).await?;
    let Some(GroupRecord { row: before, path, .. }) = lock(&mut *conn, group).await? else {
        return refused(MoveRefusal::NoSuchGroup);
    };
    if before.parent_id == to.map(|id| id.0) {
        let there = "Group is already associated to the parent group.";
        return impossible(if to.is_none() { "Group is already a root group." } else { there });
    }
    let today = now.date_naive();
    let level = actor_levels::find(&mut *conn, MemberSource::Group(group), by.id(), today).await?;
    if !by.admin && level < RestOperation::ChangeGroup.level() {
        return refused(MoveRefusal::Forbidden);
    }
    let subscription = subscriptions::find(&mut *conn, group).await?;
    if to.is_some() && subscription.is_some_and(|subscription| subscription.terms.is_paid()) {
        return impossible("Group is linked to a subscription.");
    }
    let mut row = before.clone();
    row.parent_id = to.map(|id| id.0);
    let new_path = match to {
        None => row.path.clone(),
        Some(to) => {
            let Some(around) = group_sets::list(&mut *conn, &[to.0]).await?.remove(&to) else {
                return refused(MoveRefusal::NoSuchGroup);
            };
            let level = actor_levels::find(&mut *conn, MemberSource::Group(to), by.id(), today).await?;
            let maintainers = around.row.subgroup_creation_level != Some(0);
            let least = if maintainers { AccessLevel::MAINTAINER } else { AccessLevel::OWNER };
            if !by.admin && level < least {
                return refused(MoveRefusal::Forbidden);
            }
            if namespaces::is_within(&mut *conn, to, group).await? {
                return impossible("Cannot transfer group to one of its subgroup.");
            }
            let mut faults = RecordFaults::default();
            check_parent(&mut faults, &row, &around);
            if let Some((_, faults)) = faults.iter().next() {
                return impossible(faults.join(" "));
            }
            format!("{}/{}", around.path, row.path)
        }
    };
    let mut faults = RecordFaults::default();
    check_path(&mut faults, &row.path, if to.is_none() { PathPosition::Root } else { PathPosition::Subgroup });
    if let Some((_, faults)) = faults.iter().next() {
        return impossible(format!("Path {}", faults.join(" ")));
    }
    check_place(conn, &mut faults, &new_path, &row, Some((group, &path))).await?;
    let taken = faults.iter().any(|(_, faults)| faults.iter().any(|fault| fault == TAKEN));
    if taken {
        return impossible("The parent group already has a subgroup or a project with the same path.");
    }
    if let Some((field, faults)) = faults.iter().next() {
        return impossible(format!("{field} {}", faults.join(" ")));
    }
    let below = namespaces::find_depth_below(&mut *conn, group).await?;
    if new_path.split('/').count() + below > DEEPEST {
        return impossible(format!("At most {DEEPEST} groups may be around each other."));
    }

    let mut users = place_groups::relocate(conn, group, &before, &row).await?.unwrap_or_default();
    if to.is_none() && group_members::lock_owners(&mut *conn, &[group], today).await?.is_empty() {
        let grant = MemberGrant { level: AccessLevel::OWNER.0, expires_at: None };
        members::upsert(&mut *conn, &[(MemberSource::Group(group), by.id(), grant)], Some(by.id())).await?;
    }
    users.extend(derived::users_reaching(&mut *conn, &[group]).await?);
    derived::refresh_authorizations(conn, &users, today).await?;
    let message = format!("Moved the group from {path}");
    let event = by.event(EventName::GroupUpdated, AuditEntity::Group(group, new_path), message);
    audit_events::insert(conn, &event, now).await?;
    Ok(event)
}

/// Archives a group and all that is in it, or takes it out of the archive.
pub async fn archive(
    db: &Db,
    group: NamespaceId,
    archived: bool,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> MoveResult<()> {
    let event = retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        let Some(GroupRecord { path, mut settings, .. }) = lock(&mut transaction, group).await? else {
            return refused(MoveRefusal::NoSuchGroup);
        };
        if settings.archived == archived {
            return refused(if archived { MoveRefusal::Archived } else { MoveRefusal::NotArchived });
        }
        settings.archived = archived;
        group_sets::upsert_settings(&mut *transaction, &[(group.0, settings)]).await?;
        let message = if archived { "Archived the group" } else { "Took the group out of the archive" };
        let event = by.event(EventName::GroupUpdated, AuditEntity::Group(group, path), message);
        audit_events::insert(&mut *transaction, &event, now).await?;
        transaction.commit().await?;
        MoveResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}
