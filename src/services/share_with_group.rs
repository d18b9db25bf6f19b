//! A client shares a group or a project with another group, or ends that.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::audit::{AuditEntity, AuditTarget, EventName};
use crate::domain::ids::{NamespaceId, ProjectId};
use crate::domain::level::AccessLevel;
use crate::domain::record_faults::RecordFaults;
use crate::domain::rest_policy::RestOperation;
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::shares::{self, ShareFacts};
use crate::store::{Db, actor_levels, audit_events, derived};

/// Why nothing is shared, or goes on to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShareRefusal {
    /// What was to be shared is gone.
    NoSuchPlace,
    /// The group that it was to be shared with is gone.
    NoSuchGroup,
    /// The root group has its groups shared within it alone.
    OutsideHierarchy,
    /// The group of the project has its projects shared with nobody.
    Locked,
    /// It is shared with the group already.
    SharedAlready,
    /// It is not shared with the group.
    NotShared,
    /// The share gives more than the user may give or take.
    AboveOneself,
    /// These things are wrong with it.
    Faults(RecordFaults),
}

type ShareResult<T> = ServiceResult<T, ShareRefusal>;

/// What is shared, and how it is named in audit events.
#[derive(Debug, Clone)]
pub struct SharedPlace {
    /// What it is.
    pub source: MemberSource,
    /// Its full path.
    pub path: String,
}

impl SharedPlace {
    fn entity(&self) -> AuditEntity {
        match self.source {
            MemberSource::Group(group) => AuditEntity::Group(group, self.path.clone()),
            MemberSource::Project(project, _) => AuditEntity::Project(project, self.path.clone()),
        }
    }

    fn words(&self) -> (EventName, EventName) {
        match self.source {
            MemberSource::Group(_) => (EventName::GroupShared, EventName::GroupShareEnded),
            MemberSource::Project(..) => (EventName::ProjectShared, EventName::ProjectShareEnded),
        }
    }
}

/// Shares a group or a project with a group; the id of the link.
pub async fn share(
    db: &Db,
    place: &SharedPlace,
    with: NamespaceId,
    grant: MemberGrant,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ShareResult<i64> {
    let today = now.date_naive();
    let (id, event) = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        derived::lock_trees(&mut transaction, &[place.source.namespace(), with]).await?;
        let level = level_of(&mut transaction, place, by, today).await?;
        if !by.admin && grant.level > level.0 && matches!(place.source, MemberSource::Project(..)) {
            return Err(ServiceError::Refused(ShareRefusal::AboveOneself));
        }
        let facts = shares::find_facts(&mut *transaction, place.source, with).await?;
        let Some(facts) = facts else { return Err(ServiceError::Refused(ShareRefusal::NoSuchPlace)) };
        if let Some(refusal) = refusal(place.source, with, &facts) {
            return Err(ServiceError::Refused(refusal));
        }
        if grant.expires_at.is_some_and(|day| day < today) {
            let faults = RecordFaults::of("expires_at", "cannot be a date in the past");
            return Err(ServiceError::Refused(ShareRefusal::Faults(faults)));
        }
        members::upsert_links(&mut transaction, &[(place.source, with, grant)]).await?;
        let users = derived::users_reaching(&mut *transaction, &[with]).await?;
        derived::refresh_authorizations(&mut transaction, &users, today).await?;
        let id = shares::find_link(&mut *transaction, place.source, with).await?.map_or(0, |link| link.id);
        let target = AuditTarget { kind: "Group", id: with.0, details: facts.with_path.clone().unwrap_or_default() };
        let message = format!("Shared as {}", AccessLevel(grant.level));
        let event = by.event_about(place.words().0, place.entity(), target, message);
        audit_events::insert(&mut *transaction, &event, now).await?;
        transaction.commit().await?;
        ShareResult::Ok((id, event))
    })
    .await?;
    audit_log::log(&event);
    Ok(id)
}

fn refusal(source: MemberSource, with: NamespaceId, facts: &ShareFacts) -> Option<ShareRefusal> {
    let project = matches!(source, MemberSource::Project(..));
    let outside = || facts.with_lineage.first().is_none_or(|root| facts.lineage.first() != Some(root));
    if facts.with_path.is_none() {
        Some(ShareRefusal::NoSuchGroup)
    } else if project && facts.locked {
        Some(ShareRefusal::Locked)
    } else if !project && facts.within_hierarchy && outside() {
        Some(ShareRefusal::OutsideHierarchy)
    } else if facts.linked {
        Some(ShareRefusal::SharedAlready)
    } else if facts.lineage.contains(&with.0) {
        let fault = "is the group itself or one around it, whose members get in anyway";
        Some(ShareRefusal::Faults(RecordFaults::of("group_id", fault)))
    } else {
        None
    }
}

/// What the user is there now, where that is enough to share it.
async fn level_of(
    conn: &mut PgConnection,
    place: &SharedPlace,
    by: &ActingUser,
    today: NaiveDate,
) -> ShareResult<AccessLevel> {
    let level = actor_levels::find(conn, place.source, by.id(), today).await?;
    let least = match place.source {
        MemberSource::Group(_) => RestOperation::ChangeGroup.level(),
        MemberSource::Project(..) => RestOperation::ChangeProject.level(),
    };
    if by.admin || level >= least { Ok(level) } else { Err(ServiceError::Refused(ShareRefusal::AboveOneself)) }
}

/// Ends a share. Nobody takes more than they have.
pub async fn unshare(
    db: &Db,
    place: &SharedPlace,
    with: NamespaceId,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> ShareResult<()> {
    let event = retried(db, RetryAfter::Undone, || async {
        let mut transaction = db.begin().await?;
        derived::lock_trees(&mut transaction, &[place.source.namespace(), with]).await?;
        let own_level = level_of(&mut transaction, place, by, now.date_naive()).await?;
        let link = shares::find_link(&mut *transaction, place.source, with).await?;
        let Some(link) = link else { return Err(ServiceError::Refused(ShareRefusal::NotShared)) };
        if !by.admin && link.level > own_level.0 {
            return Err(ServiceError::Refused(ShareRefusal::AboveOneself));
        }
        let users = derived::users_reaching(&mut *transaction, &[with]).await?;
        members::delete_links(&mut transaction, &[(place.source, with)]).await?;
        derived::refresh_authorizations(&mut transaction, &users, now.date_naive()).await?;
        let target = AuditTarget { kind: "Group", id: with.0, details: link.path };
        let event = by.event_about(place.words().1, place.entity(), target, "Ended the share");
        audit_events::insert(&mut *transaction, &event, now).await?;
        transaction.commit().await?;
        ShareResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

/// What of a project is shared, by its id and that of its namespace.
#[must_use]
pub fn project_place(project: ProjectId, namespace: NamespaceId, path: &str) -> SharedPlace {
    SharedPlace { source: MemberSource::Project(project, namespace), path: path.to_owned() }
}

/// The group as what is shared.
#[must_use]
pub fn group_place(group: NamespaceId, path: &str) -> SharedPlace {
    SharedPlace { source: MemberSource::Group(group), path: path.to_owned() }
}
