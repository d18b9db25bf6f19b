//! Objects that no project has go, and what never arrived.

use chrono::{DateTime, TimeDelta, Utc};

use super::LfsStoreError;
use crate::lfs_files::{LfsBucket, LfsFiles, LfsOid};
use crate::store::{self, Db, lfs_objects, lfs_pending_uploads};

/// How long an object without a project, and a content that is not whole, are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Objects that go in one round at most.
const ROUND: i64 = 1000;

/// Removes objects that no project has had for a day, and what never was whole; says how many objects.
pub async fn remove_orphans(db: &Db, files: &LfsFiles, now: DateTime<Utc>) -> Result<u64, LfsStoreError> {
    let before = now - KEPT;
    files.directory().remove_abandoned(before.into()).await?;
    if let Some(bucket) = files.bucket() {
        remove_abandoned(db, bucket, before).await?;
    }
    let mut removed = 0;
    for oid in lfs_objects::list_orphans(db.pool(), before, ROUND).await? {
        let Some(known) = LfsOid::parse(&oid) else { continue };
        let mut transaction = db.begin().await?;
        lfs_objects::lock(&mut *transaction, &oid).await?;
        if let Some(store) = lfs_objects::delete_orphan(&mut *transaction, &oid, before).await? {
            // Before the end of the transaction: whoever stores the object again waits for that.
            files.remove(&known, store).await?;
            transaction.commit().await?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes from the bucket what began to come in and never arrived. One that cannot be removed is tried again later.
async fn remove_abandoned(db: &Db, bucket: &LfsBucket, before: DateTime<Utc>) -> store::Result<()> {
    for pending in lfs_pending_uploads::list_abandoned(db.pool(), before, ROUND).await? {
        let removed = async {
            bucket.give_up(&pending.object_name, &pending.upload_id).await?;
            // Under any other name there may be an object by now.
            if pending.by_workhorse { bucket.remove(&pending.object_name).await } else { Ok(()) }
        };
        match removed.await {
            Ok(()) => lfs_pending_uploads::delete(db.pool(), &pending.remote_id).await?,
            Err(error) => tracing::warn!(%error, "could not remove what began to come into the bucket"),
        }
    }
    Ok(())
}
