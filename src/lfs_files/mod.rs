//! The contents of LFS objects: in a directory, or in a bucket that speaks S3. What lies in the directory is read there
//! after new objects go to a bucket.

mod bucket;
mod directory;

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use self::bucket::{LfsBucket, PartsUpload, RemoteUpload, SMALL};
pub use self::directory::{LfsDirectory, TemporaryFile};
use crate::config::LfsSettings;

/// The bytes of an object, a piece at a time: the next one is read when the one before was taken.
pub type LfsContent = BoxStream<'static, io::Result<Bytes>>;

/// An id of an object: 64 hexadecimal digits in small letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LfsOid(String);

impl LfsOid {
    /// The id that a text is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the content of an object is, as `lfs_objects.file_store` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStore {
    /// In the directory.
    Local,
    /// In the bucket.
    Remote,
}

impl FileStore {
    /// What the column says.
    #[must_use]
    pub fn of_column(number: i32) -> Self {
        if number == 2 { Self::Remote } else { Self::Local }
    }

    /// The number in the column.
    #[must_use]
    pub fn column(self) -> i32 {
        match self {
            Self::Local => 1,
            Self::Remote => 2,
        }
    }
}

/// Where the contents are.
#[derive(Debug, Clone)]
pub struct LfsFiles {
    directory: LfsDirectory,
    bucket: Option<LfsBucket>,
}

/// The content of an object that is not yet where it belongs.
#[derive(Debug)]
pub enum NewContent {
    /// In a file of ours, which goes again unless the object is stored.
    Temporary(TemporaryFile),
    /// In a file that Workhorse has laid down.
    LaidDown(PathBuf),
    /// Held, for it is small.
    Small(Vec<u8>),
    /// In the bucket, in parts that are no object yet.
    Parts(PartsUpload),
    /// In the bucket, under this temporary name.
    Copy(String),
}

impl LfsFiles {
    /// Where the settings say.
    ///
    /// # Errors
    /// Where the working directory cannot be known, which a relative name starts at; the file with the bucket's key cannot
    /// be read; or the bucket's URL is none.
    pub fn new(settings: &LfsSettings) -> anyhow::Result<Self> {
        let directory = LfsDirectory::new(&settings.storage_path).context("the directory of LFS objects")?;
        let store = &settings.object_store;
        let bucket = if store.enabled { Some(LfsBucket::new(store)?) } else { None };
        Ok(Self { directory, bucket })
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &LfsDirectory {
        &self.directory
    }

    /// The bucket, where there is one.
    #[must_use]
    pub fn bucket(&self) -> Option<&LfsBucket> {
        self.bucket.as_ref()
    }

    /// The size of an object's content; none where it is gone.
    pub async fn size(&self, oid: &LfsOid, store: FileStore) -> io::Result<Option<u64>> {
        match (store, &self.bucket) {
            (FileStore::Local, _) => self.directory.size(oid).await,
            (FileStore::Remote, Some(bucket)) => bucket.size(&bucket.place(oid)).await,
            (FileStore::Remote, None) => Ok(None),
        }
    }

    /// So many bytes of an object, from here on.
    pub async fn read(&self, oid: &LfsOid, store: FileStore, from: u64, length: u64) -> io::Result<LfsContent> {
        match (store, &self.bucket) {
            (FileStore::Local, _) => self.directory.read(oid, from, length).await,
            (FileStore::Remote, Some(bucket)) => bucket.read(oid, from, length).await,
            (FileStore::Remote, None) => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Removes the content of an object, where there is one.
    pub async fn remove(&self, oid: &LfsOid, store: FileStore) -> io::Result<()> {
        match (store, &self.bucket) {
            (FileStore::Local, _) => self.directory.remove(oid).await,
            (FileStore::Remote, Some(bucket)) => bucket.remove(&bucket.place(oid)).await,
            (FileStore::Remote, None) => Ok(()),
        }
    }

    /// Moves a content to where its object's is, and says where that is. It is kept when this returns.
    pub async fn place(&self, content: NewContent, oid: &LfsOid) -> io::Result<FileStore> {
        let store = match content {
            NewContent::Temporary(_) | NewContent::LaidDown(_) => FileStore::Local,
            NewContent::Small(_) | NewContent::Parts(_) | NewContent::Copy(_) => FileStore::Remote,
        };
        let bucket = || self.bucket.as_ref().ok_or_else(|| io::Error::other("there is no bucket any more"));
        match content {
            NewContent::Temporary(mut file) => self.directory.place(file.finish().await?, oid).await?,
            NewContent::LaidDown(path) => self.directory.place(&path, oid).await?,
            NewContent::Small(content) => bucket()?.put(oid, content).await?,
            NewContent::Parts(parts) => parts.complete().await?,
            NewContent::Copy(name) => bucket()?.copy(&name, oid).await?,
        }
        Ok(store)
    }

    /// Whether an object can be kept: written, moved as objects are, and removed again.
    pub async fn try_to_keep(&self) -> io::Result<()> {
        match &self.bucket {
            Some(bucket) => bucket.try_to_keep().await,
            None => self.directory.try_to_keep().await,
        }
    }
}

impl NewContent {
    /// Takes more of it.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::Temporary(file) => file.write(bytes).await,
            Self::Small(held) => {
                held.extend_from_slice(&bytes);
                Ok(())
            }
            Self::Parts(parts) => parts.write(&bytes).await,
            Self::LaidDown(_) | Self::Copy(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Ends what was begun and leaves nothing. Workhorse removes what it has laid down by itself.
    pub async fn discard(self) -> io::Result<()> {
        match self {
            Self::Parts(parts) => parts.abort().await,
            Self::Temporary(_) | Self::LaidDown(_) | Self::Small(_) | Self::Copy(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_64_small_digits() {
        assert!(LfsOid::parse(&"0f".repeat(32)).is_some());
        for bad in ["", "0f", &"0F".repeat(32), &"0g".repeat(32), &"0f".repeat(33), &"é".repeat(32), &"../".repeat(22)]
        {
            assert_eq!(LfsOid::parse(bad), None, "{bad}");
        }
    }
}
