//! An identity provider changes who is in one of its groups. That is written at once; the memberships that it gives and
//! ends in the linked groups are brought in line by a job.

use sqlx::PgConnection;
use uuid::Uuid;

use super::retry::{RetryAfter, retried};
use super::scim_refusal::{ScimGroupError, ScimGroupRefusal};
use super::sync_scim_members::enqueue_syncs;
use crate::domain::scim::group::ScimMemberChange;
use crate::domain::scim::version::ExpectedVersion;
use crate::store::{self, Db, saml_group_links, scim_groups};

/// Changes who is in a group, where it is of a version that the client means.
pub async fn change_scim_group(
    db: &Db,
    uid: Uuid,
    expected: &ExpectedVersion,
    members: &ScimMemberChange,
) -> Result<(), ScimGroupError> {
    retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        lock_expected(&mut transaction, uid, expected).await?;
        change_members(&mut transaction, uid, members).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}

/// Locks a group that is to be changed, where it is of a version that the client means.
pub(super) async fn lock_expected(
    conn: &mut PgConnection,
    uid: Uuid,
    expected: &ExpectedVersion,
) -> Result<(), ScimGroupError> {
    saml_group_links::share_links(&mut *conn).await?;
    let group =
        scim_groups::lock_for_update(conn, uid).await?.ok_or(ScimGroupError::Refused(ScimGroupRefusal::NoSuchGroup))?;
    if expected.admits(group.updated_at) {
        Ok(())
    } else {
        Err(ScimGroupError::Refused(ScimGroupRefusal::OtherVersion))
    }
}

/// Writes who is in a group that is locked.
pub(super) async fn change_members(
    conn: &mut PgConnection,
    uid: Uuid,
    members: &ScimMemberChange,
) -> store::Result<()> {
    if members.is_empty() {
        return Ok(());
    }
    let updated = scim_groups::update_members(&mut *conn, uid, members).await?;
    if updated.changed {
        saml_group_links::update_changed_at(&mut *conn, uid).await?;
    }
    enqueue_syncs(conn, updated.groups).await
}
