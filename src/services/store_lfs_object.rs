//! An LFS object that was delivered whole is stored and linked to its project; one that no project has goes.

use std::io;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::ids::ProjectId;
use crate::lfs_files::{LfsFiles, LfsOid};
use crate::store::{self, Db, lfs_objects};

/// How long an object without a project, and a file that is not whole, are kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Objects that go in one round at most.
const ROUND: i64 = 1000;

/// Why an object is not stored.
#[derive(Debug, thiserror::Error)]
pub enum LfsStoreError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The directory failed.
    #[error("the directory of LFS objects: {0}")]
    Files(#[from] io::Error),
    /// There is an object of that id with another size, which cannot be.
    #[error("an LFS object has two sizes")]
    TwoSizes,
}

/// A file whose content is known to be that of the object, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct DeliveredObject<'a> {
    /// The object.
    pub oid: &'a LfsOid,
    /// Its size.
    pub size: i64,
    /// Where its content lies.
    pub file: &'a Path,
    /// The project that it is for.
    pub project: ProjectId,
    /// Whether it is for the project's wiki.
    pub wiki: bool,
}

/// Stores the object and links it. The file comes first: where this ends in between, the next delivery of the object
/// overwrites it with the same bytes. Nobody makes or removes the object meanwhile.
pub async fn store(db: &Db, files: &LfsFiles, delivered: DeliveredObject<'_>) -> Result<(), LfsStoreError> {
    let mut transaction = db.begin().await?;
    lfs_objects::lock(&mut *transaction, delivered.oid.as_str()).await?;
    let size = u64::try_from(delivered.size).map_err(|_| LfsStoreError::TwoSizes)?;
    if files.size(delivered.oid).await? != Some(size) {
        files.place(delivered.file, delivered.oid).await?;
    }
    let object = lfs_objects::insert(&mut transaction, delivered.oid.as_str(), delivered.size).await?;
    let object = object.ok_or(LfsStoreError::TwoSizes)?;
    lfs_objects::link(&mut transaction, object, delivered.project, i16::from(delivered.wiki)).await?;
    transaction.commit().await?;
    Ok(())
}

/// Links the objects that the project's source has, each of this size, to the project too, and says which those are.
pub async fn link_from_source(
    db: &Db,
    source: ProjectId,
    project: ProjectId,
    wiki: bool,
    wanted: &[(String, i64)],
) -> store::Result<Vec<String>> {
    let (oids, sizes): (Vec<String>, Vec<i64>) = wanted.iter().cloned().unzip();
    let mut transaction = db.begin().await?;
    let found = lfs_objects::lock_linked(&mut transaction, source, &oids, &sizes).await?;
    for (object, _) in &found {
        lfs_objects::link(&mut transaction, *object, project, i16::from(wiki)).await?;
    }
    transaction.commit().await?;
    Ok(found.into_iter().map(|(_, oid)| oid).collect())
}

/// Removes objects that no project has had for a day, and files that were never whole; says how many objects.
pub async fn remove_orphans(db: &Db, files: &LfsFiles, now: DateTime<Utc>) -> Result<u64, LfsStoreError> {
    let before = now - KEPT;
    files.remove_abandoned(before.into()).await?;
    let mut removed = 0;
    for oid in lfs_objects::list_orphans(db.pool(), before, ROUND).await? {
        let Some(known) = LfsOid::parse(&oid) else { continue };
        let mut transaction = db.begin().await?;
        lfs_objects::lock(&mut *transaction, &oid).await?;
        if lfs_objects::delete_orphan(&mut *transaction, &oid, before).await? {
            // Before the end of the transaction: whoever stores the object again waits for that.
            files.remove(&known).await?;
            transaction.commit().await?;
            removed += 1;
        }
    }
    Ok(removed)
}
