//! The URL that a repository is cloned from, as people are told it.

use crate::domain::access::AccessProtocol;
use crate::store::{self, Db, settings};

/// What clone URLs begin with, as the settings file has it.
#[derive(Debug, Clone)]
pub struct CloneUrls {
    /// The installation's URL, without a slash at its end.
    pub url: String,
    /// `git@host:` or `ssh://git@host:2222/`.
    pub ssh_prefix: String,
}

impl CloneUrls {
    /// The URL by this protocol.
    pub async fn find(&self, db: &Db, protocol: &AccessProtocol, path: &str) -> store::Result<String> {
        match protocol {
            AccessProtocol::Ssh => Ok(format!("{}{path}.git", self.ssh_prefix)),
            AccessProtocol::Http | AccessProtocol::Web | AccessProtocol::Other(_) => self.find_http(db, path).await,
        }
    }

    /// The URL over HTTP: the instance may have another root for it than its own URL.
    pub async fn find_http(&self, db: &Db, path: &str) -> store::Result<String> {
        let root = settings::find_http_clone_root(db.pool()).await?;
        Ok(format!("{}/{path}.git", root.as_ref().unwrap_or(&self.url)))
    }
}
