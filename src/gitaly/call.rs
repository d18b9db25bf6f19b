//! One call: its deadline, its metadata, and the bounds of what it may bring back.

use std::time::{Duration, Instant};

use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use super::proto::blob_service_client::BlobServiceClient;
use super::proto::commit_service_client::CommitServiceClient;
use super::proto::diff_service_client::DiffServiceClient;
use super::proto::ref_service_client::RefServiceClient;
use super::proto::repository_service_client::RepositoryServiceClient;
use super::{GitalyError, GitalyResult, GitalyStorage, RepositoryClient, token};
use crate::clock::Clock;
use crate::telemetry::trace::{self, TraceSpan};

/// For questions that Gitaly answers from what it has at hand.
pub const FAST: Duration = Duration::from_secs(10);
/// For questions that walk objects.
pub const MEDIUM: Duration = Duration::from_secs(30);

/// A message may hold a commit message of 10 MiB, and Gitaly puts several commits into one.
const MESSAGE_BYTES: usize = 64 << 20;

/// A call that is about to be made, or under way.
pub struct GitalyCall<'a> {
    storage: &'a GitalyStorage,
    clock: &'a Clock,
    metadata: &'a MetadataMap,
    method: &'static str,
    deadline: Instant,
}

impl<'a> GitalyCall<'a> {
    /// A call of this method that may take so long, as long as the request's own time lasts.
    pub fn new(repository: &'a RepositoryClient, method: &'static str, at_most: Duration) -> GitalyResult<Self> {
        let now = Instant::now();
        if repository.deadline <= now {
            return Err(GitalyError::Deadline);
        }
        let RepositoryClient { storage, clock, metadata, .. } = repository;
        Ok(Self { storage, clock, metadata, method, deadline: repository.deadline.min(now + at_most) })
    }

    /// A call to whoever serves a storage, about none of its repositories.
    pub fn of_storage(
        storage: &'a GitalyStorage,
        clock: &'a Clock,
        metadata: &'a MetadataMap,
        method: &'static str,
        at_most: Duration,
    ) -> Self {
        Self { storage, clock, metadata, method, deadline: Instant::now() + at_most }
    }

    /// The one message that answers.
    pub async fn wait<Q: Clone, M, F: Future<Output = GitalyResult<Response<M>, Status>>>(
        &self,
        question: Q,
        ask: impl Fn(Request<Q>) -> F,
    ) -> GitalyResult<M> {
        self.in_time(|| async { Ok(ask(self.request(question.clone())).await?.into_inner()) }).await
    }

    /// What `items` takes out of all messages of a stream.
    pub async fn collect<Q, M, F, I>(
        &self,
        question: Q,
        ask: impl Fn(Request<Q>) -> F,
        bounds: CallBounds,
        items: impl Fn(M) -> I,
    ) -> GitalyResult<Vec<I::Item>>
    where
        Q: Clone,
        M: Message,
        F: Future<Output = GitalyResult<Response<Streaming<M>>, Status>>,
        I: IntoIterator,
    {
        let attempt = || async {
            let stream = ask(self.request(question.clone())).await?.into_inner();
            gather(stream, bounds, &items).await
        };
        self.in_time(attempt).await
    }

    /// The question with everything that goes along with it. Made last, since its token and its time run out.
    fn request<Q>(&self, question: Q) -> Request<Q> {
        let mut request = Request::new(question);
        *request.metadata_mut() = self.metadata.clone();
        for (name, value) in trace::headers() {
            if let Ok(value) = value.parse() {
                request.metadata_mut().insert(name, value);
            }
        }
        // Gitaly stops working on what nobody waits for any more.
        request.set_timeout(self.deadline.saturating_duration_since(Instant::now()));
        if let Some(secret) = &self.storage.token {
            let bearer = token::bearer(secret, self.clock.now());
            let mut bearer: MetadataValue<_> = bearer.parse().expect("hex digits and decimals fit into a header");
            bearer.set_sensitive(true);
            request.metadata_mut().insert("authorization", bearer);
        }
        request
    }

    async fn in_time<T, F: Future<Output = GitalyResult<T>>>(&self, attempt: impl Fn() -> F) -> GitalyResult<T> {
        let (trace, started) = (TraceSpan::call(|| format!("Gitaly {}", self.method).into()), Instant::now());
        let outcome = trace.around(self.with_a_second_attempt(attempt)).await;
        let word = outcome.as_ref().map_or_else(GitalyError::word, |_| "answered");
        let labels = [("method", self.method), ("outcome", word)];
        metrics::histogram!("gatehouse_gitaly_seconds", &labels).record(started.elapsed());
        trace.set("rpc.system", || "grpc");
        trace.set("rpc.method", || self.method);
        trace.set("gatehouse.outcome", || word);
        if let Err(error) = &outcome {
            trace.fail(|| error.word().to_owned());
        }
        outcome
    }

    async fn with_a_second_attempt<T, F: Future<Output = GitalyResult<T>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> GitalyResult<T> {
        let outcome = async {
            match attempt().await {
                // A connection that Gitaly closed when it restarted breaks under the first call that it is given. Every
                // question may be asked twice; where nobody listens any more, the second fails at once.
                Err(GitalyError::Unavailable(status)) if status.code() != Code::Unavailable => attempt().await,
                outcome => outcome,
            }
        };
        match tokio::time::timeout_at(self.deadline.into(), outcome).await {
            // The channel watches the same deadline, and calls what it ends cancelled.
            Ok(Err(GitalyError::Unavailable(_))) if self.deadline <= Instant::now() => Err(GitalyError::Deadline),
            Ok(outcome) => outcome,
            Err(_) => Err(GitalyError::Deadline),
        }
    }
}

/// What a stream may bring at most.
#[derive(Clone, Copy)]
pub struct CallBounds {
    items: usize,
    bytes: usize,
}

impl CallBounds {
    /// So many items. Pushers choose how long a commit message or a path is, so all messages together may be as large
    /// as one alone.
    pub fn items(items: usize) -> Self {
        Self { items, bytes: MESSAGE_BYTES }
    }

    /// So many items out of a stream of any length, most of which is dropped as it comes.
    pub fn picked(items: usize) -> Self {
        Self { items, bytes: usize::MAX }
    }
}

/// A number of Gitaly's that counts something. A negative one answers nothing.
pub fn number(number: impl Into<i64>) -> GitalyResult<u64> {
    number.into().try_into().map_err(|_| GitalyError::Failed(Status::internal("a negative number")))
}

async fn gather<M: Message, I: IntoIterator>(
    mut stream: Streaming<M>,
    bounds: CallBounds,
    items: impl Fn(M) -> I,
) -> GitalyResult<Vec<I::Item>> {
    let (mut all, mut bytes) = (Vec::new(), 0_usize);
    while let Some(page) = stream.message().await? {
        bytes = bytes.saturating_add(page.encoded_len());
        if bytes > bounds.bytes {
            return Err(GitalyError::TooLarge { limit: bounds.bytes });
        }
        all.extend(items(page));
        if all.len() > bounds.items {
            return Err(GitalyError::TooMany { limit: bounds.items });
        }
    }
    Ok(all)
}

impl RepositoryClient {
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
