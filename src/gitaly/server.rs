//! What whoever serves a storage says of itself.

use std::time::Duration;

use tonic::metadata::{MetadataMap, MetadataValue};

use super::call::GitalyCall;
use super::proto;
use super::proto::server_service_client::ServerServiceClient;
use super::{GitalyClient, GitalyError, GitalyResult};

/// The Gitaly of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitalyServer {
    /// Its version.
    pub version: String,
    /// The version of its git.
    pub git_version: String,
    /// The storages that it can read and write.
    pub storages: Vec<String>,
}

impl GitalyClient {
    /// What the Gitaly of this storage says of itself.
    ///
    /// # Errors
    /// Where the settings do not name the storage, or its Gitaly does not answer in time.
    pub async fn server(&self, storage: &str, at_most: Duration) -> GitalyResult<GitalyServer> {
        let served = self.storages.get(storage).ok_or_else(|| GitalyError::UnknownStorage(storage.to_owned()))?;
        let mut metadata = MetadataMap::new();
        metadata.insert("client_name", MetadataValue::from_static("gatehouse"));
        let call = GitalyCall::of_storage(served, &self.clock, &metadata, "ServerInfo", at_most);
        let ask = |request| async move { ServerServiceClient::new(served.channel.clone()).server_info(request).await };
        let answer = call.wait(proto::ServerInfoRequest {}, ask).await?;
        let usable = answer.storage_statuses.into_iter().filter(|storage| storage.readable && storage.writeable);
        Ok(GitalyServer {
            version: answer.server_version,
            git_version: answer.git_version,
            storages: usable.map(|storage| storage.storage_name).collect(),
        })
    }
}
