//! What Gitaly says of the blobs that a push brings: pointers to LFS files, and sizes.

use super::call::{CallBounds, GitalyCall, MEDIUM};
use super::commits::reached_by_nothing_but;
use super::proto;
use super::{GitalyResult, LfsPointer, RepositoryClient};

/// A blob that a push brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// Its id.
    pub id: String,
    /// Its bytes.
    pub size: u64,
    /// A path under which it is found. Within a quarantine Gitaly names none.
    pub path: Option<Vec<u8>>,
}

impl RepositoryClient {
    /// The LFS pointers among the new blobs, and `limit` of them at most: the rest is not looked at.
    pub async fn lfs_pointers(&self, new_ids: &[&str], limit: u16) -> GitalyResult<Vec<LfsPointer>> {
        if new_ids.is_empty() {
            return Ok(Vec::new());
        }
        // Gitaly takes zero for no limit at all.
        let limit = limit.max(1);
        let bounds = CallBounds::items(limit.into());
        let found = if self.is_quarantined() {
            let call = GitalyCall::new(self, "ListAllLFSPointers", MEDIUM)?;
            let repository = Some(self.new_objects_alone());
            let message = proto::ListAllLfsPointersRequest { repository, limit: limit.into() };
            let ask = |request| async move { self.blobs().list_all_lfs_pointers(request).await };
            call.collect(message, ask, bounds, |page| page.lfs_pointers).await?
        } else {
            let call = GitalyCall::new(self, "ListLFSPointers", MEDIUM)?;
            let message = proto::ListLfsPointersRequest {
                repository: Some(self.message()),
                revisions: reached_by_nothing_but(new_ids),
                limit: limit.into(),
            };
            let ask = |request| async move { self.blobs().list_lfs_pointers(request).await };
            call.collect(message, ask, bounds, |page| page.lfs_pointers).await?
        };
        Ok(found.iter().filter_map(|pointer| LfsPointer::parse(&pointer.data)).collect())
    }

    /// The new blobs of at least so many bytes.
    ///
    /// # Errors
    /// Where Gitaly gives no answer, or there are more than `limit`.
    pub async fn new_blobs(&self, new_ids: &[&str], at_least: u64, limit: usize) -> GitalyResult<Vec<NewBlob>> {
        if new_ids.is_empty() {
            return Ok(Vec::new());
        }
        if !self.is_quarantined() {
            return self.list_blobs(new_ids, at_least, limit).await;
        }
        let mut blobs = self.list_all_blobs(at_least, limit).await?;
        // A thin pack is completed with objects that it builds on, so the quarantine also holds some that are not new.
        let old = self.list_old_objects(blobs.iter().map(|blob| blob.id.as_str())).await?;
        blobs.retain(|blob| !old.contains(&blob.id));
        Ok(blobs)
    }

    async fn list_blobs(&self, new_ids: &[&str], at_least: u64, limit: usize) -> GitalyResult<Vec<NewBlob>> {
        let call = GitalyCall::new(self, "ListBlobs", MEDIUM)?;
        let message = proto::ListBlobsRequest {
            repository: Some(self.message()),
            revisions: reached_by_nothing_but(new_ids),
            limit: 0,
            bytes_limit: 0,
            with_paths: true,
        };
        let ask = |request| async move { self.blobs().list_blobs(request).await };
        let kept = |page: proto::ListBlobsResponse| {
            let blobs = page.blobs.into_iter().map(|blob| {
                let path = Some(blob.path).filter(|path| !path.is_empty());
                NewBlob { id: blob.oid, size: blob.size.try_into().unwrap_or_default(), path }
            });
            blobs.filter(move |blob| blob.size >= at_least)
        };
        call.collect(message, ask, CallBounds::picked(limit), kept).await
    }

    async fn list_all_blobs(&self, at_least: u64, limit: usize) -> GitalyResult<Vec<NewBlob>> {
        let call = GitalyCall::new(self, "ListAllBlobs", MEDIUM)?;
        let repository = Some(self.new_objects_alone());
        let message = proto::ListAllBlobsRequest { repository, limit: 0, bytes_limit: 0 };
        let ask = |request| async move { self.blobs().list_all_blobs(request).await };
        let kept = |page: proto::ListAllBlobsResponse| {
            let blobs = page.blobs.into_iter();
            let blobs =
                blobs.map(|blob| NewBlob { id: blob.oid, size: blob.size.try_into().unwrap_or_default(), path: None });
            blobs.filter(move |blob| blob.size >= at_least)
        };
        call.collect(message, ask, CallBounds::picked(limit), kept).await
    }
}
