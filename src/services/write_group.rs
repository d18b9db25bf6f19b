//! A client makes a group, or changes one: its row, its path, its settings.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::acting_user::ActingUser;
use super::group_change::GroupChange;
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log, place_groups};
use crate::domain::audit::{AuditEntity, AuditEvent, EventName};
use crate::domain::full_path::PathPosition;
use crate::domain::ids::NamespaceId;
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::domain::level::{AccessLevel, VisibilityLevel};
use crate::domain::namespace_limits::{LimitsChange, NamespaceLimits};
use crate::domain::place_names::{DEEPEST, LONGEST_PATH};
use crate::domain::record_faults::{RecordFaults, TAKEN};
use crate::store::locks::{WantedName, take_names};
use crate::store::members::{self, MemberGrant, MemberSource};
use crate::store::namespaces::{self, GroupRow, GroupSettingsRow};
use crate::store::sets::groups::{self as group_sets, GroupRecord};
use crate::store::{self, Db, audit_events, derived, group_features, ids, namespace_limits};

/// Why a group is not made or changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRefusal {
    /// It, or the group around it, is gone.
    NoSuchGroup,
    /// These things are wrong with it.
    Faults(RecordFaults),
}

type GroupResult<T> = ServiceResult<T, GroupRefusal>;

fn refused<T>(refusal: GroupRefusal) -> GroupResult<T> {
    Err(ServiceError::Refused(refusal))
}

/// Makes a group, of which the maker becomes the owner.
pub async fn create(
    db: &Db,
    parent: Option<NamespaceId>,
    stated: &GroupChange,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> GroupResult<NamespaceId> {
    let (id, event) = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let made = create_within(&mut transaction, parent, stated, by, now).await?;
        transaction.commit().await?;
        GroupResult::Ok(made)
    })
    .await?;
    audit_log::log(&event);
    Ok(id)
}

async fn create_within(
    conn: &mut PgConnection,
    parent: Option<NamespaceId>,
    stated: &GroupChange,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> GroupResult<(NamespaceId, AuditEvent)> {
    let around = match parent {
        None => None,
        Some(id) => match lock(&mut *conn, id).await? {
            Some(record) => Some(record),
            None => return refused(GroupRefusal::NoSuchGroup),
        },
    };
    let usual = around.as_ref().map_or(0, |around| around.row.visibility_level);
    let mut row = GroupRow { parent_id: parent.map(|id| id.0), visibility_level: usual, ..GroupRow::default() };
    let mut settings = GroupSettingsRow::default();
    stated.put_into(&mut row, &mut settings);

    let position = if around.is_some() { PathPosition::Subgroup } else { PathPosition::Root };
    let mut faults = RecordFaults::default();
    stated.check(&mut faults, position);
    let path = match &around {
        Some(around) => format!("{}/{}", around.path, row.path),
        None => row.path.clone(),
    };
    check_place(conn, &mut faults, &path, &row, None).await?;
    if let Some(around) = &around {
        check_parent(&mut faults, &row, around);
    }
    faults.into_result().map_err(|faults| ServiceError::Refused(GroupRefusal::Faults(faults)))?;

    let id = NamespaceId(ids::take(&mut *conn, "namespaces", 1).await?.into_iter().next().unwrap_or_default());
    place_groups::insert(conn, &[(id.0, row.clone())]).await?;
    group_sets::upsert_settings(&mut *conn, &[(id.0, settings)]).await?;
    write_lists(conn, id, stated).await?;
    note_minutes(conn, id, (&GroupRow::default(), &row), by, now).await?;
    let grant = MemberGrant { level: AccessLevel::OWNER.0, expires_at: None };
    members::upsert(&mut *conn, &[(MemberSource::Group(id), by.id(), grant)], Some(by.id())).await?;
    let event = by.event(EventName::GroupCreated, AuditEntity::Group(id, path), "Created the group");
    audit_events::insert(conn, &event, now).await?;
    Ok((id, event))
}

/// Changes a group: what is said of it, and no more.
pub async fn update(
    db: &Db,
    group: NamespaceId,
    stated: &GroupChange,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> GroupResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = update_within(&mut transaction, group, stated, by, now).await?;
        transaction.commit().await?;
        GroupResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

async fn update_within(
    conn: &mut PgConnection,
    group: NamespaceId,
    stated: &GroupChange,
    by: &ActingUser,
    now: DateTime<Utc>,
) -> GroupResult<AuditEvent> {
    let Some(record) = lock(&mut *conn, group).await? else { return refused(GroupRefusal::NoSuchGroup) };
    let GroupRecord { row: before, path, settings: settings_before } = record;
    let (mut row, mut settings) = (before.clone(), settings_before.clone());
    stated.put_into(&mut row, &mut settings);
    let around = match before.parent_id {
        None => None,
        Some(id) => group_sets::list(&mut *conn, &[id]).await?.remove(&NamespaceId(id)),
    };

    let position = if around.is_some() { PathPosition::Subgroup } else { PathPosition::Root };
    let mut faults = RecordFaults::default();
    stated.check(&mut faults, position);
    let renamed = row.path != before.path || row.name != before.name;
    let new_path = around.as_ref().map_or_else(|| row.path.clone(), |around| format!("{}/{}", around.path, row.path));
    if renamed {
        check_place(conn, &mut faults, &new_path, &row, Some((group, &path))).await?;
    }
    if row.visibility_level != before.visibility_level {
        if let Some(around) = &around {
            check_parent(&mut faults, &row, around);
        }
        check_inside(conn, &mut faults, group, row.visibility_level).await?;
    }
    faults.into_result().map_err(|faults| ServiceError::Refused(GroupRefusal::Faults(faults)))?;

    if renamed {
        place_groups::relocate(conn, group, &before, &row).await?;
    }
    group_sets::update(&mut *conn, &[(group.0, before.clone(), row.clone())]).await?;
    if settings != settings_before {
        group_sets::upsert_settings(&mut *conn, &[(group.0, settings)]).await?;
    }
    write_lists(conn, group, stated).await?;
    note_minutes(conn, group, (&before, &row), by, now).await?;
    if row.share_with_group_lock != before.share_with_group_lock {
        let projects = namespaces::list_project_namespaces(&mut *conn, group).await?;
        let users = derived::users_reaching(&mut *conn, &projects).await?;
        derived::refresh_authorizations(conn, &users, now.date_naive()).await?;
    }
    let event = by.event(EventName::GroupUpdated, AuditEntity::Group(group, new_path), "Changed the group");
    audit_events::insert(conn, &event, now).await?;
    Ok(event)
}

/// The group, in a tree in which nobody else changes anything until the transaction ends; none where it is gone.
pub(super) async fn lock(conn: &mut PgConnection, group: NamespaceId) -> store::Result<Option<GroupRecord>> {
    derived::lock_root(conn, group).await?;
    Ok(group_sets::list(conn, &[group.0]).await?.remove(&group))
}

/// Notes that another has the path or the name.
pub(super) async fn check_place(
    conn: &mut PgConnection,
    faults: &mut RecordFaults,
    path: &str,
    row: &GroupRow,
    own: Option<(NamespaceId, &str)>,
) -> store::Result<()> {
    let (id, own_path) = own.map_or((None, None), |(id, path)| (Some(id), Some(path)));
    let same = own_path.is_some_and(|own| own.to_lowercase() == path.to_lowercase());
    if !same {
        take_names(&mut *conn, &[WantedName::Path(path)]).await?;
        if namespaces::is_path_taken(&mut *conn, path).await? {
            faults.add("path", TAKEN);
        }
    }
    if let Some(parent) = row.parent_id
        && namespaces::is_name_taken(&mut *conn, "Group", NamespaceId(parent), &row.name, id).await?
    {
        faults.add("name", TAKEN);
    }
    let longest = match id {
        Some(id) if !same => namespaces::find_longest_below(&mut *conn, id).await?,
        _ => 0,
    };
    if path.chars().count() + longest > LONGEST_PATH {
        faults.add("path", format!("is too long (maximum is {LONGEST_PATH} characters)"));
    }
    if path.split('/').count() > DEEPEST {
        faults.add("parent_id", format!("has too deep level of nesting; {DEEPEST} groups may be around each other"));
    }
    Ok(())
}

/// Notes that the group would be seen by more people than the group around it.
pub(super) fn check_parent(faults: &mut RecordFaults, row: &GroupRow, around: &GroupRecord) {
    if row.visibility_level > around.row.visibility_level {
        let (own, widest) = (visibility(row.visibility_level), visibility(around.row.visibility_level));
        let sentence = format!("{own} is not allowed since the parent group has a {widest} visibility.");
        faults.add("visibility_level", sentence);
    }
}

async fn check_inside(
    conn: &mut PgConnection,
    faults: &mut RecordFaults,
    group: NamespaceId,
    level: i32,
) -> store::Result<()> {
    let wider = namespaces::find_wider_inside(conn, group, level).await?;
    let word = visibility(level);
    if wider.projects {
        let sentence = "is not allowed since this group contains projects with higher visibility.";
        faults.add("visibility_level", format!("{word} {sentence}"));
    }
    if wider.groups {
        let sentence = "is not allowed since there are sub-groups with higher visibility.";
        faults.add("visibility_level", format!("{word} {sentence}"));
    }
    Ok(())
}

fn visibility(level: i32) -> VisibilityLevel {
    VisibilityLevel::from_level(level)
}

/// Writes down in the ledger of provisioning how many compute minutes the group had, and has.
async fn note_minutes(
    conn: &mut PgConnection,
    group: NamespaceId,
    (before, after): (&GroupRow, &GroupRow),
    by: &ActingUser,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let minutes = |row: &GroupRow| (row.shared_runners_minutes_limit, row.extra_shared_runners_minutes_limit);
    if minutes(before) == minutes(after) {
        return Ok(());
    }
    let known = namespace_limits::find(&mut *conn, group).await?.unwrap_or_default();
    let with = |row: &GroupRow| NamespaceLimits {
        shared_runners_minutes_limit: row.shared_runners_minutes_limit,
        extra_shared_runners_minutes_limit: row.extra_shared_runners_minutes_limit,
        ..known.clone()
    };
    let change = LimitsChange { namespace: group, before: with(before), after: with(after) };
    let actor = LedgerActor::Administrator(by.author.id, by.author.username.clone());
    namespace_limits::note(conn, &change, &LedgerAuthor { actor, request_id: None }, now).await
}

async fn write_lists(conn: &mut PgConnection, group: NamespaceId, stated: &GroupChange) -> store::Result<()> {
    let tidy = |texts: &Vec<String>| {
        let mut texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        texts.sort();
        texts.dedup();
        texts
    };
    if let Some(ranges) = &stated.ip_restriction_ranges {
        namespaces::replace_ip_ranges(conn, group, &tidy(ranges)).await?;
    }
    if let Some(domains) = &stated.allowed_email_domains {
        namespaces::replace_email_domains(conn, group, &tidy(domains)).await?;
    }
    if let Some(level) = stated.wiki_access_level {
        group_features::upsert_wiki_level(conn, group, level).await?;
    }
    Ok(())
}
