//! A client adds a member to a group or a project, changes a membership, or ends it.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log};
use crate::domain::audit::{AuditEntity, AuditEvent, AuditTarget, EventName};
use crate::domain::ids::UserId;
use crate::domain::level::AccessLevel;
use crate::domain::member_change::{
    MemberDenial, MemberFacts, MemberManager, WantedMembership, may_add, may_change, may_remove,
};
use crate::domain::rest_policy::RestOperation;
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::{Db, actor_levels, audit_events, derived, member_facts};

/// The group or project that memberships are of, and who manages them.
#[derive(Debug, Clone)]
pub struct MemberPlace<'a> {
    /// What one is a member of.
    pub source: MemberSource,
    /// Its full path.
    pub path: &'a str,
    /// Who manages its members.
    pub by: &'a ActingUser,
}

impl MemberPlace<'_> {
    /// Who manages, as things stand under the lock: what they were before it may be over.
    async fn manager(&self, conn: &mut PgConnection, user: UserId, today: NaiveDate) -> MemberResult<MemberManager> {
        let oneself = user == self.by.id();
        let level = actor_levels::find(conn, self.source, self.by.id(), today).await?;
        let least = match self.source {
            MemberSource::Group(_) => RestOperation::ManageGroupMembers.level(),
            MemberSource::Project(..) => RestOperation::ManageProjectMembers.level(),
        };
        if !self.by.admin && !oneself && level < least {
            return denied(MemberDenial::Forbidden);
        }
        Ok(MemberManager { level, admin: self.by.admin, oneself })
    }

    fn event(&self, name: EventName, (user, username): (UserId, &str), message: String) -> AuditEvent {
        let entity = match self.source {
            MemberSource::Group(group) => AuditEntity::Group(group, self.path.to_owned()),
            MemberSource::Project(project, _) => AuditEntity::Project(project, self.path.to_owned()),
        };
        let target = AuditTarget { kind: "User", id: user.0, details: username.to_owned() };
        self.by.event_about(name, entity, target, message)
    }
}

type MemberResult<T> = ServiceResult<T, MemberDenial>;

fn denied<T>(denial: MemberDenial) -> MemberResult<T> {
    Err(ServiceError::Refused(denial))
}

/// Makes a member of a user.
pub async fn add(
    db: &Db,
    place: &MemberPlace<'_>,
    user: (UserId, &str),
    wanted: WantedMembership,
    now: DateTime<Utc>,
) -> MemberResult<()> {
    change_one(db, |mut transaction| async move {
        let facts = lock(&mut transaction, place.source, user.0, now.date_naive()).await?;
        let manager = place.manager(&mut transaction, user.0, now.date_naive()).await?;
        may_add(&facts, wanted, manager, now.date_naive()).map_err(ServiceError::Refused)?;
        let grant = MemberGrant { level: wanted.level.0, expires_at: wanted.expires_at };
        members::upsert(&mut *transaction, &[(place.source, user.0, grant)], Some(place.by.id())).await?;
        let event = place.event(EventName::MemberCreated, user, format!("Made a member as {}", wanted.level));
        finish(transaction, event, user.0, now).await
    })
    .await
}

/// What is said of a membership's end.
pub type StatedEnd = Option<Option<NaiveDate>>;

/// Changes a membership: its level, and its end where something is said of it.
pub async fn change(
    db: &Db,
    place: &MemberPlace<'_>,
    user: (UserId, &str),
    level: AccessLevel,
    end: StatedEnd,
    now: DateTime<Utc>,
) -> MemberResult<()> {
    change_one(db, |mut transaction| async move {
        let facts = lock(&mut transaction, place.source, user.0, now.date_naive()).await?;
        let wanted = WantedMembership { level, expires_at: end.flatten() };
        let manager = place.manager(&mut transaction, user.0, now.date_naive()).await?;
        may_change(&facts, wanted, manager, now.date_naive()).map_err(ServiceError::Refused)?;
        let present = members::list(&mut *transaction, &[place.source], Some(&[user.0.0])).await?;
        let Some(present) = present.get(&(place.source, user.0)) else { return denied(MemberDenial::Missing) };
        let grant = MemberGrant { level: level.0, expires_at: end.unwrap_or(present.grant.expires_at) };
        members::upsert(&mut *transaction, &[(place.source, user.0, grant)], None).await?;
        let before = AccessLevel(present.grant.level);
        let event = place.event(EventName::MemberUpdated, user, format!("Was {before}, is {level}"));
        finish(transaction, event, user.0, now).await
    })
    .await
}

/// Ends a membership; with it, unless they are to stay, those in what is in the group.
pub async fn remove(
    db: &Db,
    place: &MemberPlace<'_>,
    user: (UserId, &str),
    skip_subresources: bool,
    now: DateTime<Utc>,
) -> MemberResult<()> {
    change_one(db, |mut transaction| async move {
        let facts = lock(&mut transaction, place.source, user.0, now.date_naive()).await?;
        let manager = place.manager(&mut transaction, user.0, now.date_naive()).await?;
        may_remove(&facts, manager).map_err(ServiceError::Refused)?;
        members::delete(&mut *transaction, &[(place.source, user.0)]).await?;
        if let (MemberSource::Group(group), false) = (place.source, skip_subresources) {
            for ended in member_facts::delete_below(&mut *transaction, group, user.0).await? {
                let message = format!("Ended the membership as {}, with that of {}", ended.level, place.path);
                let target = AuditTarget { kind: "User", id: user.0.0, details: user.1.to_owned() };
                let event = place.by.event_about(EventName::MemberDestroyed, ended.entity, target, message);
                audit_events::insert(&mut *transaction, &event, now).await?;
            }
        }
        derived::refresh_authorizations(&mut transaction, &[user.0], now.date_naive()).await?;
        member_facts::delete_protection_rows(&mut transaction, place.source.namespace(), user.0).await?;
        let before = facts.present.unwrap_or(AccessLevel::NO_ACCESS);
        let event = place.event(EventName::MemberDestroyed, user, format!("Ended the membership as {before}"));
        finish(transaction, event, user.0, now).await
    })
    .await
}

async fn change_one<F>(db: &Db, work: impl Fn(crate::store::Transaction) -> F) -> MemberResult<()>
where
    F: Future<Output = MemberResult<AuditEvent>>,
{
    let work = &work;
    let event = retried(db, RetryAfter::LostRace, || async move { work(db.begin().await?).await }).await?;
    audit_log::log(&event);
    Ok(())
}

async fn lock(
    conn: &mut PgConnection,
    source: MemberSource,
    user: UserId,
    today: NaiveDate,
) -> MemberResult<MemberFacts> {
    derived::lock_root(conn, source.namespace()).await?;
    match member_facts::find(conn, source, user, today).await? {
        Some(facts) => Ok(facts),
        None => denied(MemberDenial::Missing),
    }
}

async fn finish(
    mut transaction: crate::store::Transaction,
    event: AuditEvent,
    user: UserId,
    now: DateTime<Utc>,
) -> MemberResult<AuditEvent> {
    derived::refresh_authorizations(&mut transaction, &[user], now.date_naive()).await?;
    audit_events::insert(&mut *transaction, &event, now).await?;
    transaction.commit().await?;
    Ok(event)
}
