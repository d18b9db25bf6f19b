//! The Gitaly of each storage, as clients are told to dial it.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::error::ApiError;

/// The Gitaly of a storage, as clients dial it.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Its address.
    pub address: String,
    /// Its token.
    pub token: Option<SecretString>,
}

/// The storages by their names.
#[derive(Debug, Clone, Default)]
pub struct Storages(pub BTreeMap<String, Storage>);

impl Storages {
    /// The storage of that name.
    ///
    /// # Errors
    /// 503 where the settings have none such.
    pub fn find(&self, name: &str) -> Result<&Storage, ApiError> {
        self.0.get(name).ok_or_else(|| {
            ApiError::Unavailable(format!("storage {name} is not in the settings: repositories.storages").into())
        })
    }
}
