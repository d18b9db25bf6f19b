//! The client of Gitaly's gRPC: what the rules of a push must ask about a repository.
//!
//! [`Gitaly`] knows every storage; [`Gitaly::repository`] gives a [`Repository`], the handle of one repository within one
//! request, whose methods are one question each. [`Error`] says why there was no answer.

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

pub use blobs::Blob;
pub use commits::{ChangedPath, Commit, PathStatus, Person, Signature};
pub use error::{Error, Result};
pub use lfs_pointer::LfsPointer;
pub use push_answers::Steps;
pub use repository::{Context, Quarantine, Repository};
pub use server::Server;

pub use crate::domain::repository::Location;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use tonic::transport::Channel;

use crate::clock::Clock;
use crate::config::Settings;
use crate::document::Problem;
use address::Address;

/// Every storage of the settings. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Gitaly {
    storages: Arc<BTreeMap<String, Storage>>,
    clock: Clock,
}

/// One storage: a connection that is made when it is first needed, and made again when it broke.
#[derive(Debug, Clone)]
struct Storage {
    channel: Channel,
    token: Option<SecretString>,
}

impl Gitaly {
    /// The storages of the settings. Nothing is dialled yet; the caller is inside the runtime that will.
    ///
    /// # Errors
    /// Every address that cannot be dialled.
    pub fn new(settings: &Settings, clock: &Clock) -> Result<Self, Vec<Problem>> {
        let mut storages = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (name, storage) in &settings.repositories.storages {
            let address = storage.gitaly_address.as_deref().unwrap_or_default();
            match Address::parse(address).and_then(|address| channel::open(&address)) {
                Ok(channel) => {
                    let token = settings.gitaly_token(storage).cloned();
                    storages.insert(name.clone(), Storage { channel, token });
                }
                Err(reason) => {
                    mistakes.push(Problem::new(format!("repositories.storages.{name}.gitaly_address"), reason));
                }
            }
        }
        if mistakes.is_empty() {
            Ok(Self { storages: Arc::new(storages), clock: clock.clone() })
        } else {
            Err(mistakes)
        }
    }

    /// The handle of a repository, for the length of one request.
    ///
    /// # Errors
    /// Where the settings do not name its storage.
    pub fn repository(&self, location: Location, context: Context) -> Result<Repository> {
        let storage =
            self.storages.get(&location.storage).ok_or_else(|| Error::UnknownStorage(location.storage.clone()))?;
        Ok(Repository::new(storage.clone(), self.clock.clone(), location, context))
    }
}
