//! A directory of LFS objects that is laid out as GitLab's: `ab/cd/rest of the id`. One of GitLab's can be used as it is.

use std::io::{self, ErrorKind, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use rustix::buffer::spare_capacity;
use rustix::io::{pread, retry_on_intr};
use tokio::fs;
use tokio::task::{self, JoinHandle};

use super::{LfsContent, LfsOid};

/// Bytes of a piece that is read at once.
const PIECE: u64 = 256 << 10;
/// Bytes that are held until they are written at once.
const WRITTEN_AT_ONCE: usize = 1 << 20;
/// Bytes after which the disk is to take what was written, so that little is left to wait for in the end.
const SYNCED_AT_ONCE: usize = 16 << 20;

/// The directory.
#[derive(Debug, Clone)]
pub struct LfsDirectory {
    root: PathBuf,
}

impl LfsDirectory {
    /// Those in this directory.
    ///
    /// # Errors
    /// Where the working directory cannot be known, which a relative name starts at.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: std::path::absolute(root)? })
    }

    /// Where the file of an object is, or would be.
    #[must_use]
    pub fn path(&self, oid: &LfsOid) -> PathBuf {
        let oid = oid.as_str();
        self.root.join(&oid[..2]).join(&oid[2..4]).join(&oid[4..])
    }

    /// Where files lie until they are whole: on the same file system, so that they are moved at once.
    #[must_use]
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp/uploads")
    }

    /// The size of the file of an object; none where there is no file.
    pub async fn size(&self, oid: &LfsOid) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.path(oid)).await {
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Of these objects those that have no file.
    pub async fn without_file(&self, oids: Vec<LfsOid>) -> io::Result<Vec<LfsOid>> {
        let own = self.clone();
        let missing = move || {
            let mut missing = Vec::new();
            for oid in oids {
                match std::fs::symlink_metadata(own.path(&oid)) {
                    Ok(found) if found.is_file() => {}
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                    Ok(_) | Err(_) => missing.push(oid),
                }
            }
            Ok(missing)
        };
        task::spawn_blocking(missing).await.map_err(io::Error::other)?
    }

    /// A temporary file that nobody else has.
    pub async fn create(&self) -> io::Result<TemporaryFile> {
        let folder = self.temporary();
        fs::create_dir_all(&folder).await?;
        let path = folder.join(format!("gatehouse-{}", uuid::Uuid::new_v4().simple()));
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path).await?.into_std().await;
        Ok(TemporaryFile::new(path, file))
    }

    /// The file that Workhorse has left: a file of its own directly among the temporary ones, wherever links lead.
    pub async fn delivered(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let name = path.file_name().map(|name| self.temporary().join(name));
        let Some(own) = name else { return Ok(None) };
        let real = async |path: &Path| match fs::canonicalize(path).await {
            Ok(path) => Ok(Some(path)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        };
        let folder = real(&self.temporary()).await?;
        let (said, own) = (real(path).await?, real(&own).await?);
        let Some(said) = said.filter(|said| own.as_ref() == Some(said)) else { return Ok(None) };
        let direct = said.parent().is_some_and(|parent| folder.as_deref() == Some(parent));
        let regular = fs::symlink_metadata(&said).await.is_ok_and(|found| found.is_file());
        Ok((direct && regular).then_some(said))
    }

    /// So many bytes of an object, from here on, a piece at a time: one more is read while one is sent.
    pub async fn read(&self, oid: &LfsOid, from: u64, length: u64) -> io::Result<LfsContent> {
        let file = Arc::new(fs::File::open(self.path(oid)).await?.into_std().await);
        let pieces = (0..length.div_ceil(PIECE)).map(move |place| {
            let (file, before) = (Arc::clone(&file), place * PIECE);
            let size = usize::try_from(PIECE.min(length - before)).unwrap_or_default();
            let read = move || read_piece(&file, from + before, size).map(Bytes::from);
            async { task::spawn_blocking(read).await.map_err(io::Error::other)? }
        });
        Ok(stream::iter(pieces).buffered(2).boxed())
    }

    /// Moves a whole file to where its object's is. It is on the disk when this returns.
    pub async fn place(&self, temporary: &Path, oid: &LfsOid) -> io::Result<()> {
        let place = self.path(oid);
        let folder = place.parent().ok_or(ErrorKind::InvalidInput)?.to_owned();
        fs::File::open(temporary).await?.sync_all().await?;
        fs::create_dir_all(&folder).await?;
        fs::rename(temporary, &place).await?;
        for folder in folder.ancestors().take(3) {
            fs::File::open(folder).await?.sync_all().await?;
        }
        Ok(())
    }

    /// Removes the file of an object, where there is one.
    pub async fn remove(&self, oid: &LfsOid) -> io::Result<()> {
        match fs::remove_file(self.path(oid)).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether a file can be written, moved as objects are, and removed again.
    pub async fn try_to_keep(&self) -> io::Result<()> {
        let mut file = self.create().await?;
        file.write(Bytes::from_static(b"gatehouse check")).await?;
        let temporary = file.finish().await?.to_owned();
        let place = self.root.join(temporary.file_name().ok_or(ErrorKind::InvalidInput)?);
        fs::rename(&temporary, &place).await?;
        fs::remove_file(&place).await
    }

    /// Removes temporary files that nobody has written to since then, and says how many.
    pub async fn remove_abandoned(&self, since: SystemTime) -> io::Result<u64> {
        let mut entries = match fs::read_dir(self.temporary()).await {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut removed = 0;
        while let Some(entry) = entries.next_entry().await? {
            let Ok(found) = entry.metadata().await else { continue };
            let old = found.modified().is_ok_and(|at| at < since);
            if found.is_file() && old && fs::remove_file(entry.path()).await.is_ok() {
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// So many bytes from here on.
fn read_piece(file: &std::fs::File, from: u64, size: usize) -> io::Result<Vec<u8>> {
    // Filled in place: to fill it with zeros first takes about a third as long as to read into it.
    let mut piece = Vec::with_capacity(size);
    while piece.len() < size {
        let at = from + piece.len() as u64;
        if retry_on_intr(|| pread(file, spare_capacity(&mut piece), at))? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    piece.truncate(size);
    Ok(piece)
}

/// A file that goes again unless its object is stored. What comes is written by another thread while more of it comes, and
/// the disk takes it meanwhile.
#[derive(Debug)]
pub struct TemporaryFile {
    path: Option<PathBuf>,
    file: Arc<std::fs::File>,
    held: Vec<Bytes>,
    held_bytes: usize,
    writing: Option<FileTask>,
    unsynced: usize,
    syncing: Option<FileTask>,
}

type FileTask = JoinHandle<io::Result<()>>;

impl TemporaryFile {
    fn new(path: PathBuf, file: std::fs::File) -> Self {
        Self {
            path: Some(path),
            file: Arc::new(file),
            held: Vec::new(),
            held_bytes: 0,
            writing: None,
            unsynced: 0,
            syncing: None,
        }
    }

    /// Takes more of it.
    ///
    /// # Errors
    /// Where that, or what came before, cannot be written.
    pub async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.held_bytes += bytes.len();
        self.held.push(bytes);
        if self.held_bytes >= WRITTEN_AT_ONCE {
            self.write_held().await?;
        }
        Ok(())
    }

    /// Begins to write what is held, once what came before is written.
    async fn write_held(&mut self) -> io::Result<()> {
        ended(&mut self.writing).await?;
        let pieces = mem::take(&mut self.held);
        self.unsynced += mem::take(&mut self.held_bytes);
        let file = Arc::clone(&self.file);
        self.writing =
            Some(task::spawn_blocking(move || pieces.iter().try_for_each(|piece| (&*file).write_all(piece))));
        if self.unsynced >= SYNCED_AT_ONCE && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            // A failure to write things to the disk is told once, to whoever asks first: it must not get lost here.
            ended(&mut self.syncing).await?;
            self.unsynced = 0;
            let file = Arc::clone(&self.file);
            self.syncing = Some(task::spawn_blocking(move || file.sync_data()));
        }
        Ok(())
    }

    /// The file, whole.
    ///
    /// # Errors
    /// Where something of it could not be written.
    pub async fn finish(&mut self) -> io::Result<&Path> {
        self.write_held().await?;
        ended(&mut self.writing).await?;
        ended(&mut self.syncing).await?;
        self.path.as_deref().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

async fn ended(task: &mut Option<FileTask>) -> io::Result<()> {
    match task.take() {
        Some(task) => task.await.map_err(io::Error::other)?,
        None => Ok(()),
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Where it was moved away, there is nothing to remove.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_placed_whole_and_what_is_abandoned_goes() {
        let root = std::env::temp_dir().join(format!("gatehouse-lfs-{}", uuid::Uuid::new_v4()));
        let files = LfsDirectory::new(&root).unwrap();
        let oid = LfsOid::parse(&"ab".repeat(32)).unwrap();
        assert_eq!(files.size(&oid).await.unwrap(), None);
        let mut temporary = files.create().await.unwrap();
        for piece in [&b"hel"[..], b"lo"] {
            temporary.write(Bytes::from_static(piece)).await.unwrap();
        }
        let path = temporary.finish().await.unwrap().to_owned();
        assert_eq!(files.delivered(&path).await.unwrap(), Some(std::fs::canonicalize(&path).unwrap()));
        files.place(&path, &oid).await.unwrap();
        drop(temporary);
        assert_eq!(files.size(&oid).await.unwrap(), Some(5));
        assert!(root.join("ab/ab").join("ab".repeat(30)).is_file());
        // What lies elsewhere, or is a link to elsewhere, was not delivered.
        let link = files.temporary().join("link");
        std::os::unix::fs::symlink(files.path(&oid), &link).unwrap();
        for elsewhere in [files.path(&oid), link, PathBuf::from("/etc/passwd"), files.temporary(), PathBuf::new()] {
            assert_eq!(files.delivered(&elsewhere).await.unwrap(), None, "{}", elsewhere.display());
        }
        let left = files.temporary().join("left");
        std::fs::write(&left, "x").unwrap();
        let at = std::fs::metadata(&left).unwrap().modified().unwrap();
        assert_eq!(files.remove_abandoned(at).await.unwrap(), 0);
        assert_eq!(files.remove_abandoned(at + std::time::Duration::from_secs(1)).await.unwrap(), 1);
        files.try_to_keep().await.unwrap();
        files.remove(&oid).await.unwrap();
        assert_eq!(files.size(&oid).await.unwrap(), None);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[tokio::test]
    async fn a_large_file_is_written_and_read_in_order() {
        let root = std::env::temp_dir().join(format!("gatehouse-lfs-{}", uuid::Uuid::new_v4()));
        let files = LfsDirectory::new(&root).unwrap();
        let oid = LfsOid::parse(&"cd".repeat(32)).unwrap();
        let content: Vec<u8> =
            (0..40_000_000_u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut temporary = files.create().await.unwrap();
        for piece in content.chunks(333_333) {
            temporary.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        let path = temporary.finish().await.unwrap().to_owned();
        files.place(&path, &oid).await.unwrap();
        for (from, length) in [(0, content.len()), (7, 1_000_001), (39_999_999, 1), (5, 0)] {
            let pieces: Vec<_> = files.read(&oid, from, length as u64).await.unwrap().collect().await;
            let read: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
            let from = usize::try_from(from).unwrap();
            assert!(read == content[from..from + length], "{length} from {from}");
        }
        // One that has become shorter than it was said to be.
        let beyond: Vec<_> = files.read(&oid, 39_999_999, 2).await.unwrap().collect().await;
        assert!(beyond.iter().any(Result::is_err));
        std::fs::remove_dir_all(root).unwrap();
    }
}
