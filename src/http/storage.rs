//! The Gitaly of each storage, as clients are told to dial it.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::error::ApiError;

/// The Gitaly of a storage, as clients dial it.
#[derive(Debug, Clone)]
pub struct StorageAddress {
    /// Its address.
    pub address: String,
    /// Its token.
    pub token: Option<SecretString>,
}

/// The storages by their names.
#[derive(Debug, Clone, Default)]
pub struct StorageAddresses(pub BTreeMap<String, StorageAddress>);

impl StorageAddresses {
    /// The storage of that name.
    ///
    /// # Errors
    /// 503 where the settings have none such, or no address for it.
    pub fn find(&self, name: &str) -> Result<&StorageAddress, ApiError> {
        // An answer without an address would be taken for a broken one.
        self.0.get(name).filter(|storage| !storage.address.is_empty()).ok_or_else(|| {
            ApiError::Unavailable(format!("storage {name} is not in the settings: repositories.storages").into())
        })
    }
}
