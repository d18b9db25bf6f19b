//! An identity provider gives up one of its groups: it is untied from the groups here, whose members keep what they
//! have.

use uuid::Uuid;

use super::change_scim_group::lock_expected;
use super::retry::{RetryAfter, retried};
use super::scim_refusal::ScimGroupError;
use crate::domain::scim::version::ExpectedVersion;
use crate::store::{Db, saml_group_links, scim_groups};

/// Unties a group from its links, where it is of a version that the client means. Nobody is in it any more.
pub async fn delete_scim_group(db: &Db, uid: Uuid, expected: &ExpectedVersion) -> Result<(), ScimGroupError> {
    retried(db, RetryAfter::LostRace, || async {
        let mut transaction = db.begin().await?;
        lock_expected(&mut transaction, uid, expected).await?;
        saml_group_links::untie(&mut *transaction, uid).await?;
        scim_groups::delete_memberships(&mut *transaction, uid).await?;
        transaction.commit().await?;
        Ok(())
    })
    .await
}
