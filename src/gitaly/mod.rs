//! The client of Gitaly's gRPC: what the rules of a push must ask about a repository.
//!
//! [`GitalyClient`] knows every storage; [`GitalyClient::repository`] gives a [`RepositoryClient`], the handle of one
//! repository within one request, whose methods are one question each. [`GitalyError`] says why there was no answer.

mod address;
mod blobs;
mod call;
mod channel;
mod commits;
mod error;
mod lfs_pointer;
mod push_answers;
mod repository;
mod server;
mod token;

/// Gitaly's protocol, as far as we speak it.
#[expect(clippy::pedantic, reason = "generated from proto/gitaly.proto")]
mod proto {
    tonic::include_proto!("gitaly");
}

pub use blobs::NewBlob;
pub use commits::{ChangedPath, CommitPerson, CommitSignature, GitalyCommit, PathStatus};
pub use error::{GitalyError, GitalyResult};
pub use lfs_pointer::LfsPointer;
pub use push_answers::CheckSteps;
pub use repository::{CallContext, ObjectQuarantine, RepositoryClient};
pub use server::GitalyServer;

pub use crate::domain::repository::RepositoryLocation;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use tonic::transport::Channel;

use crate::clock::Clock;
use crate::config::Settings;
use crate::document::Problem;
use address::GitalyAddress;

/// Every storage of the settings. Clones share their connections.
#[derive(Debug, Clone)]
pub struct GitalyClient {
    storages: Arc<BTreeMap<String, GitalyStorage>>,
    clock: Clock,
}

/// One storage: a connection that is made when it is first needed, and made again when it broke.
#[derive(Debug, Clone)]
struct GitalyStorage {
    channel: Channel,
    token: Option<SecretString>,
}

impl GitalyClient {
    /// The storages of the settings. Nothing is dialled yet; the caller is inside the runtime that will.
    ///
    /// # Errors
    /// Every address that cannot be dialled.
    pub fn new(settings: &Settings, clock: &Clock) -> GitalyResult<Self, Vec<Problem>> {
        let mut storages = BTreeMap::new();
        let mut problems = Vec::new();
        for (name, storage) in &settings.repositories.storages {
            let address = storage.gitaly_address.as_deref().unwrap_or_default();
            match GitalyAddress::parse(address).and_then(|address| channel::open(&address)) {
                Ok(channel) => {
                    let token = settings.gitaly_token(storage).cloned();
                    storages.insert(name.clone(), GitalyStorage { channel, token });
                }
                Err(reason) => {
                    problems.push(Problem::new(format!("repositories.storages.{name}.gitaly_address"), reason));
                }
            }
        }
        if problems.is_empty() {
            Ok(Self { storages: Arc::new(storages), clock: clock.clone() })
        } else {
            Err(problems)
        }
    }

    /// Whether the settings say who serves the storage.
    #[must_use]
    pub fn serves(&self, storage: &str) -> bool {
        self.storages.contains_key(storage)
    }

    /// The handle of a repository, for the length of one request.
    ///
    /// # Errors
    /// Where the settings do not name its storage.
    pub fn repository(&self, location: RepositoryLocation, context: CallContext) -> GitalyResult<RepositoryClient> {
        let storage = self
            .storages
            .get(&location.storage)
            .ok_or_else(|| GitalyError::UnknownStorage(location.storage.clone()))?;
        Ok(RepositoryClient::new(storage.clone(), self.clock.clone(), location, context))
    }
}
