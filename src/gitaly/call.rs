//! One call: its deadline, its metadata, and the bounds of what it may bring back.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use super::proto::blob_service_client::BlobServiceClient;
use super::proto::commit_service_client::CommitServiceClient;
use super::proto::diff_service_client::DiffServiceClient;
use super::proto::ref_service_client::RefServiceClient;
use super::proto::repository_service_client::RepositoryServiceClient;
use super::{Error, Repository, Result, token};

/// For questions that Gitaly answers from what it has at hand.
pub const FAST: Duration = Duration::from_secs(10);
/// For questions that walk objects.
pub const MEDIUM: Duration = Duration::from_secs(30);

/// A message may hold a commit message of 10 MiB, and Gitaly gathers several commits in one.
const MESSAGE_BYTES: usize = 64 << 20;

/// A call that is about to be made, or under way.
pub struct Call<'a> {
    repository: &'a Repository,
    deadline: Instant,
}

impl<'a> Call<'a> {
    /// A call that may take so long, as long as the request's own time lasts.
    pub fn new(repository: &'a Repository, at_most: Duration) -> Result<Self> {
        let now = Instant::now();
        if repository.deadline <= now {
            return Err(Error::Deadline);
        }
        Ok(Self { repository, deadline: repository.deadline.min(now + at_most) })
    }

    /// The message with everything that goes along with it. Made last, since its token and its time run out.
    pub fn request<M>(&self, message: M) -> Request<M> {
        let Repository { storage, clock, metadata, .. } = self.repository;
        let mut request = Request::new(message);
        *request.metadata_mut() = metadata.clone();
        // Gitaly stops working on what nobody waits for any more.
        request.set_timeout(self.deadline.saturating_duration_since(Instant::now()));
        if let Some(secret) = &storage.token {
            let bearer = token::bearer(secret, clock.now());
            let mut bearer: MetadataValue<_> = bearer.parse().expect("hex digits and decimals fit into a header");
            bearer.set_sensitive(true);
            request.metadata_mut().insert("authorization", bearer);
        }
        request
    }

    /// The one message that answers.
    pub async fn wait<M>(&self, answer: impl Future<Output = Result<Response<M>, Status>>) -> Result<M> {
        self.in_time(async { Ok(answer.await?.into_inner()) }).await
    }

    /// What all messages of a stream hold, up to `limit` items.
    pub async fn collect<M, I: IntoIterator>(
        &self,
        opening: impl Future<Output = Result<Response<Streaming<M>>, Status>>,
        limit: usize,
        items: impl Fn(M) -> I,
    ) -> Result<Vec<I::Item>> {
        self.in_time(async {
            let mut stream = opening.await?.into_inner();
            let mut all = Vec::new();
            while let Some(page) = stream.message().await? {
                all.extend(items(page));
                if all.len() > limit {
                    return Err(Error::TooMany { limit });
                }
            }
            Ok(all)
        })
        .await
    }

    async fn in_time<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        let outcome = tokio::time::timeout_at(self.deadline.into(), answer).await.unwrap_or(Err(Error::Deadline));
        match outcome {
            // The channel watches the same deadline, and calls what it ends cancelled.
            Err(Error::Unavailable(_)) if self.deadline <= Instant::now() => Err(Error::Deadline),
            outcome => outcome,
        }
    }
}

impl Repository {
    pub(super) fn repositories(&self) -> RepositoryServiceClient<Channel> {
        RepositoryServiceClient::new(self.storage.channel.clone())
    }

    pub(super) fn refs(&self) -> RefServiceClient<Channel> {
        RefServiceClient::new(self.storage.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    pub(super) fn commits(&self) -> CommitServiceClient<Channel> {
        CommitServiceClient::new(self.storage.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    pub(super) fn diffs(&self) -> DiffServiceClient<Channel> {
        DiffServiceClient::new(self.storage.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    pub(super) fn blobs(&self) -> BlobServiceClient<Channel> {
        BlobServiceClient::new(self.storage.channel.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }
}
