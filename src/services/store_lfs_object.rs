//! An LFS object that was delivered whole is stored and linked to its project; one that no project has goes.

mod sweep;

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::io::AsyncReadExt as _;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

pub use self::sweep::remove_orphans;
use crate::domain::ids::ProjectId;
use crate::lfs_files::{LfsBucket, LfsFiles, LfsOid, NewContent, RemoteUpload, SMALL};
use crate::store::lfs_pending_uploads::{self, PendingUpload};
use crate::store::{self, Db, lfs_objects};

/// Up to this size an object is copied within its transaction, for a bucket does that at once; larger ones before it, in parts.
const COPIED_AT_ONCE: u64 = SMALL;

/// Why an object is not stored.
#[derive(Debug, thiserror::Error)]
pub enum LfsStoreError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The directory or the bucket failed.
    #[error("the contents of LFS objects: {0}")]
    Files(#[from] io::Error),
    /// There is an object of that id with another size, which cannot be.
    #[error("an LFS object has two sizes")]
    TwoSizes,
}

/// An object and whose it is to be.
#[derive(Debug, Clone, Copy)]
pub struct DeliveredObject<'a> {
    /// The object.
    pub oid: &'a LfsOid,
    /// Its size.
    pub size: i64,
    /// The project that it is for.
    pub project: ProjectId,
    /// Whether it is for the project's wiki.
    pub wiki: bool,
}

impl DeliveredObject<'_> {
    fn bytes(&self) -> Result<u64, LfsStoreError> {
        u64::try_from(self.size).map_err(|_| LfsStoreError::TwoSizes)
    }
}

/// The content of an object that is on its way in.
#[derive(Debug)]
pub struct IncomingObject {
    content: NewContent,
    /// Under these names it is noted that something of it is in the bucket.
    notes: Vec<String>,
    /// What goes when the object is stored.
    laid_down: Option<String>,
    /// One of the places that there are for those who are held in part.
    place: Option<OwnedSemaphorePermit>,
}

impl IncomingObject {
    fn of(content: NewContent) -> Self {
        Self { content, notes: Vec::new(), laid_down: None, place: None }
    }

    /// Takes more of it.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.content.write(bytes).await
    }
}

/// Begins to take an object in, a piece at a time.
pub async fn begin(
    db: &Db,
    files: &LfsFiles,
    object: DeliveredObject<'_>,
    now: DateTime<Utc>,
) -> Result<IncomingObject, LfsStoreError> {
    let Some(bucket) = files.bucket() else {
        return Ok(IncomingObject::of(NewContent::Temporary(files.directory().create().await?)));
    };
    let place = Some(bucket.take_place().await?);
    let mut incoming = begin_in(db, bucket, object, now).await?;
    incoming.place = place;
    Ok(incoming)
}

async fn begin_in(
    db: &Db,
    bucket: &LfsBucket,
    object: DeliveredObject<'_>,
    now: DateTime<Utc>,
) -> Result<IncomingObject, LfsStoreError> {
    let size = object.bytes()?;
    if size <= SMALL {
        return Ok(IncomingObject::of(NewContent::Small(Vec::new())));
    }
    let parts = bucket.begin(object.oid, size).await?;
    let remote_id = fresh_id(now);
    let (object_name, upload_id) = parts.names();
    let pending = pending(object, &remote_id, (object_name, upload_id), false);
    lfs_pending_uploads::insert(db.pool(), &pending, now).await?;
    Ok(IncomingObject { notes: vec![remote_id], ..IncomingObject::of(NewContent::Parts(parts)) })
}

/// Takes in what Workhorse has laid down in a file.
pub async fn take_file(
    db: &Db,
    files: &LfsFiles,
    object: DeliveredObject<'_>,
    path: PathBuf,
    now: DateTime<Utc>,
) -> Result<IncomingObject, LfsStoreError> {
    if files.bucket().is_none() {
        return Ok(IncomingObject::of(NewContent::LaidDown(path)));
    }
    let mut incoming = begin(db, files, object, now).await?;
    let (mut file, mut piece) = (tokio::fs::File::open(path).await?, vec![0; 256 << 10]);
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok(incoming);
        }
        incoming.write(Bytes::copy_from_slice(&piece[..read])).await?;
    }
}

/// Takes in what Workhorse has laid down in the bucket.
pub async fn take_from_bucket(
    db: &Db,
    bucket: &LfsBucket,
    object: DeliveredObject<'_>,
    laid_down: PendingUpload,
    now: DateTime<Utc>,
) -> Result<IncomingObject, LfsStoreError> {
    let name = laid_down.object_name;
    let mut incoming = if object.bytes()? <= COPIED_AT_ONCE {
        IncomingObject::of(NewContent::Copy(name.clone()))
    } else {
        let mut incoming = begin_in(db, bucket, object, now).await?;
        if let NewContent::Parts(parts) = &mut incoming.content {
            parts.copy(&name, object.bytes()?).await?;
        }
        incoming
    };
    incoming.notes.push(laid_down.remote_id);
    incoming.laid_down = Some(name);
    Ok(incoming)
}

/// Lets Workhorse lay an object down in the bucket, and says under which name; none where there is no bucket, or where the
/// object is empty, of which there are no parts.
pub async fn open_for_workhorse(
    db: &Db,
    files: &LfsFiles,
    object: DeliveredObject<'_>,
    now: DateTime<Utc>,
) -> Result<Option<(String, RemoteUpload)>, LfsStoreError> {
    let (Some(bucket), size @ 1..) = (files.bucket(), object.bytes()?) else { return Ok(None) };
    let remote_id = fresh_id(now);
    let remote = bucket.open_for_workhorse(&remote_id, size).await?;
    let pending = pending(object, &remote_id, (&remote.name, &remote.upload), true);
    lfs_pending_uploads::insert(db.pool(), &pending, now).await?;
    Ok(Some((remote_id, remote)))
}

/// Stores the object and links it. The content comes first: where this ends in between, the next delivery of the object
/// overwrites it with the same bytes. Nobody makes or removes the object meanwhile.
pub async fn store(
    db: &Db,
    files: &LfsFiles,
    object: DeliveredObject<'_>,
    incoming: IncomingObject,
) -> Result<(), LfsStoreError> {
    let IncomingObject { content, mut notes, laid_down, place } = incoming;
    let mut transaction = db.begin().await?;
    lfs_objects::lock(&mut *transaction, object.oid.as_str()).await?;
    let known = lfs_objects::find_store(&mut *transaction, object.oid.as_str()).await?;
    let kept = match known {
        Some(store) if files.size(object.oid, store).await? == Some(object.bytes()?) => Some(store),
        Some(_) | None => None,
    };
    let kept = match kept {
        Some(store) => {
            // The sweep removes what cannot be removed now.
            if let Err(error) = content.discard().await {
                tracing::warn!(%error, "could not give up what came of an LFS object that is here");
                notes.clear();
            }
            store
        }
        None => files.place(content, object.oid).await?,
    };
    drop(place);
    let row = lfs_objects::insert(&mut transaction, object.oid.as_str(), object.size, kept).await?;
    let row = row.ok_or(LfsStoreError::TwoSizes)?;
    lfs_objects::link(&mut transaction, row, object.project, i16::from(object.wiki)).await?;
    for note in &notes {
        lfs_pending_uploads::delete(&mut *transaction, note).await?;
    }
    transaction.commit().await?;
    if let (Some(name), Some(bucket)) = (laid_down, files.bucket())
        && let Err(error) = bucket.remove(&name).await
    {
        // Workhorse removes it too.
        tracing::warn!(%error, "could not remove what Workhorse has laid down in the bucket");
    }
    Ok(())
}

/// Gives up an object that is not what it was to be, and leaves nothing of it.
pub async fn give_up(db: &Db, incoming: IncomingObject) -> Result<(), LfsStoreError> {
    incoming.content.discard().await?;
    for note in &incoming.notes {
        lfs_pending_uploads::delete(db.pool(), note).await?;
    }
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

/// A name that nobody guesses.
fn fresh_id(now: DateTime<Utc>) -> String {
    format!("{}-{:04}-{}", now.timestamp(), rand::random_range(0..10_000), Uuid::new_v4().simple())
}

fn pending(
    object: DeliveredObject<'_>,
    remote_id: &str,
    (object_name, upload_id): (&str, &str),
    by_workhorse: bool,
) -> PendingUpload {
    PendingUpload {
        remote_id: remote_id.to_owned(),
        oid: object.oid.as_str().to_owned(),
        size: object.size,
        project: object.project,
        object_name: object_name.to_owned(),
        upload_id: upload_id.to_owned(),
        by_workhorse,
    }
}
