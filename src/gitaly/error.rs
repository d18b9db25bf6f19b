//! Why Gitaly gave no answer.

use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};

use super::proto::{LimitError, StatusDetails};

/// What a question to Gitaly answers with.
pub type GitalyResult<T, E = GitalyError> = std::result::Result<T, E>;

/// Why Gitaly gave no answer. Nothing may be let through on any of them.
#[derive(Debug, thiserror::Error)]
pub enum GitalyError {
    /// The settings do not say who serves the storage.
    #[error("storage {0} is not in the settings: repositories.storages")]
    UnknownStorage(String),
    /// Gitaly is down, does not accept, or went away during the call.
    #[error("Gitaly is not available: {}", .0.message())]
    Unavailable(#[source] Status),
    /// The call's time, or the whole request's, is over.
    #[error("Gitaly did not answer in time")]
    Deadline,
    /// Gitaly takes no more work at present; it may say when to come again.
    #[error("Gitaly takes no more work: {status}")]
    Exhausted {
        /// When to come again, where Gitaly says so.
        retry_after: Option<Duration>,
        /// What it says.
        status: Status,
    },
    /// Gitaly has no such repository, or no such object in it.
    #[error("Gitaly found nothing: {0}")]
    NotFound(#[source] Status),
    /// More was listed than the caller is ready to take.
    #[error("Gitaly lists more than {limit} items")]
    TooMany {
        /// As many as the caller would have taken.
        limit: usize,
    },
    /// What was listed takes more memory than one push may have.
    #[error("Gitaly lists more than {limit} bytes")]
    TooLarge {
        /// As many bytes as would have been taken.
        limit: usize,
    },
    /// Anything else that Gitaly said.
    #[error("Gitaly failed: {} ({:?})", .0.message(), .0.code())]
    Failed(#[source] Status),
}

impl GitalyError {
    /// What metrics call it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::UnknownStorage(_) => "unknown_storage",
            Self::Unavailable(_) => "unavailable",
            Self::Deadline => "deadline",
            Self::Exhausted { .. } => "exhausted",
            Self::NotFound(_) => "not_found",
            Self::TooMany { .. } | Self::TooLarge { .. } => "too_large",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Status> for GitalyError {
    fn from(status: Status) -> Self {
        match status.code() {
            // Nobody on our side cancels a call that is still waited for: the connection broke, or Gitaly shuts down.
            Code::Unavailable | Code::Cancelled => Self::Unavailable(status),
            Code::Unknown | Code::Internal if broke_underway(&status) => Self::Unavailable(status),
            Code::DeadlineExceeded => Self::Deadline,
            Code::ResourceExhausted => Self::Exhausted { retry_after: retry_after(status.details()), status },
            Code::NotFound => Self::NotFound(status),
            Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss
            | Code::Unauthenticated => Self::Failed(status),
        }
    }
}

/// Whether the transport failed below a call. Gitaly's own failures come as trailers and have no source.
fn broke_underway(status: &Status) -> bool {
    std::error::Error::source(status).is_some() || status.message().starts_with("h2 protocol error")
}

fn retry_after(details: &[u8]) -> Option<Duration> {
    let details = StatusDetails::decode(details).ok()?.details;
    let limit = details.iter().find(|detail| detail.type_url.ends_with("/gitaly.LimitError"))?;
    let wait = LimitError::decode(limit.value.as_slice()).ok()?.retry_after?;
    let wait = Duration::new(wait.seconds.try_into().ok()?, wait.nanos.try_into().ok()?);
    // Gitaly's zero says that it does not help to come again.
    (!wait.is_zero()).then_some(wait)
}
