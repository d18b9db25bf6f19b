//! An identity provider ties one of its groups to the groups here whose SAML group link has its name.

use sqlx::PgConnection;
use uuid::Uuid;

use super::change_scim_group::change_members;
use super::retry::{RetryAfter, retried};
use super::scim_refusal::{ScimGroupError, ScimGroupRefusal};
use super::sync_scim_members::enqueue_syncs;
use crate::domain::scim::group::ScimMemberChange;
use crate::store::{Db, saml_group_links, scim_groups};

/// Ties the links of a name to a group of the provider: to the given one, else to the one that they are tied to, else
/// to a new one. Changes its members, and answers with its id. To ask again changes nothing more.
///
/// # Errors
/// [`ScimGroupRefusal::NoSuchName`] where no link has the name, and [`ScimGroupRefusal::UidTaken`] where the given id
/// is that of a group of another name.
pub async fn provision_scim_group(
    db: &Db,
    name: &str,
    uid: Option<Uuid>,
    members: &ScimMemberChange,
) -> Result<Uuid, ScimGroupError> {
    retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        let uid = tie_links(&mut transaction, name, uid).await?;
        change_members(&mut transaction, uid, members).await?;
        transaction.commit().await?;
        Ok(uid)
    })
    .await
}

/// Members stay where the provider calls the group something else than before.
async fn tie_links(conn: &mut PgConnection, name: &str, uid: Option<Uuid>) -> Result<Uuid, ScimGroupError> {
    saml_group_links::share_links(&mut *conn).await?;
    if let Some(uid) = uid {
        saml_group_links::lock_uid(&mut *conn, uid).await?;
    }
    let links = saml_group_links::lock_by_name(&mut *conn, name).await?;
    if links.is_empty() {
        return Err(ScimGroupError::Refused(ScimGroupRefusal::NoSuchName(name.to_owned())));
    }
    let before: Vec<Uuid> = links.into_iter().flatten().collect();
    let uid = uid.or_else(|| before.first().copied()).unwrap_or_else(Uuid::new_v4);
    if saml_group_links::is_uid_taken(&mut *conn, uid, name).await? {
        return Err(ScimGroupError::Refused(ScimGroupRefusal::UidTaken));
    }
    if !before.contains(&uid) {
        // Of a group whose links went with their groups.
        scim_groups::delete_memberships(&mut *conn, uid).await?;
    }
    let old: Vec<Uuid> = before.into_iter().filter(|before| *before != uid).collect();
    if !old.is_empty() {
        scim_groups::move_memberships(&mut *conn, &old, uid).await?;
    }
    let groups = saml_group_links::tie(&mut *conn, name, uid).await?;
    enqueue_syncs(conn, groups).await?;
    Ok(uid)
}
