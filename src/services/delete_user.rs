//! An account ends over the REST API, with all that is its own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::delete_group_or_project::{MOST_AT_ONCE, find_paid, remove_group, remove_projects};
use super::end_provisioning::{self, EndingNamespace};
use super::retry::{RetryAfter, retried};
use super::{ServiceError, ServiceResult, audit_log, ghost_user};
use crate::domain::audit::{AuditEntity, AuditEvent, EventName, RestAuthor};
use crate::domain::ids::UserId;
use crate::domain::ledger::{LedgerActor, LedgerAuthor};
use crate::domain::user_type::UserType;
use crate::store::rest::accounts;
use crate::store::rest::user_deletion::{self, SoleOwnedGroup};
use crate::store::sets::users as user_sets;
use crate::store::{
    Db, audit_events, deletions, derived, group_members, namespaces, removed_repositories, saml_group_links, users,
};

/// Why an account stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserDeletionRefusal {
    /// There is none.
    NoSuchUser,
    /// Nobody removes themselves.
    Oneself,
    /// The installation made it for itself.
    Internal,
    /// A group has no other owner.
    SoleOwner,
    /// Such a group, or one in it, is paid for; this is its path.
    PaidGroup(String),
    /// Such groups hold so many projects that one transaction would keep others waiting for too long.
    TooLarge(i64),
    /// It does not wait for approval.
    NotPending,
}

type DeletionResult<T> = ServiceResult<T, UserDeletionRefusal>;

fn refused<T>(refusal: UserDeletionRefusal) -> DeletionResult<T> {
    Err(ServiceError::Refused(refusal))
}

/// Which account is to end, and how.
#[derive(Clone, Copy)]
struct Ending<'a> {
    user: UserId,
    /// Groups that nobody else owns go too.
    with_groups: bool,
    /// Only somebody who waits for approval.
    pending_alone: bool,
    by: &'a RestAuthor,
    now: DateTime<Utc>,
}

/// Removes an account: memberships, keys, tokens, addresses, identities, the personal namespace and its projects. What its
/// owner wrote elsewhere is the ghost user's. With `with_groups` the groups go too that nobody else owns; without it such
/// an account stays.
pub async fn delete(
    db: &Db,
    user: UserId,
    with_groups: bool,
    by: &RestAuthor,
    now: DateTime<Utc>,
) -> DeletionResult<()> {
    if user == by.acting() || user == by.id {
        return refused(UserDeletionRefusal::Oneself);
    }
    end(db, Ending { user, with_groups, pending_alone: false, by, now }).await
}

/// Removes the account of somebody who waits for approval, and of nobody else.
pub async fn reject(db: &Db, user: UserId, by: &RestAuthor, now: DateTime<Utc>) -> DeletionResult<()> {
    end(db, Ending { user, with_groups: false, pending_alone: true, by, now }).await
}

async fn end(db: &Db, ending: Ending<'_>) -> DeletionResult<()> {
    let event = retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let event = end_within(&mut transaction, ending).await?;
        transaction.commit().await?;
        DeletionResult::Ok(event)
    })
    .await?;
    audit_log::log(&event);
    Ok(())
}

/// Locks go from the roots of trees to users, as everywhere.
async fn end_within(conn: &mut PgConnection, ending: Ending<'_>) -> DeletionResult<AuditEvent> {
    let Ending { user, by, now, .. } = ending;
    saml_group_links::lock_links(&mut *conn).await?;
    let Some(record) = user_sets::list(&mut *conn, &[user.0]).await?.remove(&user) else {
        return refused(UserDeletionRefusal::NoSuchUser);
    };
    if UserType::from_number(record.row.user_type).is_internal() {
        return refused(UserDeletionRefusal::Internal);
    }
    if ending.pending_alone && record.row.state != "blocked_pending_approval" {
        return refused(UserDeletionRefusal::NotPending);
    }
    let today = now.date_naive();
    let mut places = user_deletion::list_owned(&mut *conn, user, today).await?;
    places.extend(record.personal.as_ref().map(|personal| personal.id));
    derived::lock_trees(conn, &places).await?;
    if !accounts::lock(&mut *conn, user).await? {
        return refused(UserDeletionRefusal::NoSuchUser);
    }
    // Groups that they came to own while the locks were waited for. No more come: a membership needs the locked row.
    let owned = user_deletion::list_owned(&mut *conn, user, today).await?;
    derived::lock_trees(conn, &owned).await?;
    group_members::lock_owners(&mut *conn, &owned, today).await?;
    let groups = judge_groups(conn, &ending).await?;
    let author = LedgerAuthor { actor: LedgerActor::Administrator(by.id, by.username.clone()), request_id: None };
    for group in groups {
        // One that was in another of them is gone with it.
        if namespaces::find_path(&mut *conn, group.id).await?.is_some() {
            remove_group(conn, group.id, &author, now).await?;
            let event =
                by.event(EventName::GroupDestroyed, AuditEntity::Group(group.id, group.path), "Deleted with its owner");
            audit_events::insert(&mut *conn, &event, now).await?;
        }
    }
    if let Some(personal) = &record.personal {
        let projects = deletions::list_projects(&mut *conn, &[personal.id.0]).await?;
        remove_projects(conn, &projects, &author, now).await?;
        let of = EndingNamespace { id: personal.id, path: &personal.path, author: &author, now };
        end_provisioning::end_all(conn, &of).await?;
    }
    let snippets = user_deletion::list_snippet_repositories(&mut *conn, user).await?;
    removed_repositories::insert(conn, &snippets).await?;
    let ghost = ghost_user::find_or_make(conn, now).await?;
    user_deletion::hand_over(conn, user, ghost).await?;
    users::delete(conn, user).await?;
    let name = if ending.pending_alone { EventName::UserRejected } else { EventName::UserDestroyed };
    let event = by.event(name, AuditEntity::User(user, record.row.username), "Account removed");
    audit_events::insert(&mut *conn, &event, now).await?;
    Ok(event)
}

/// The groups that go with the account, where they may. The caller holds the locks of all groups that it owns.
async fn judge_groups(conn: &mut PgConnection, ending: &Ending<'_>) -> DeletionResult<Vec<SoleOwnedGroup>> {
    let groups = user_deletion::list_sole_owned(&mut *conn, ending.user, ending.now.date_naive()).await?;
    if groups.is_empty() {
        return Ok(groups);
    }
    if !ending.with_groups {
        return refused(UserDeletionRefusal::SoleOwner);
    }
    let mut all = BTreeSet::new();
    for group in &groups {
        let within = deletions::list_groups(&mut *conn, group.id).await?;
        if let Some(paid) = find_paid(conn, &within).await? {
            return refused(UserDeletionRefusal::PaidGroup(paid));
        }
        all.extend(within.iter().map(|group| group.id.0));
    }
    let projects = deletions::count_projects(conn, &all.into_iter().collect::<Vec<_>>()).await?;
    if projects > MOST_AT_ONCE {
        return refused(UserDeletionRefusal::TooLarge(projects));
    }
    Ok(groups)
}
