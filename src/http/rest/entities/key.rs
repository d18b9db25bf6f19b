//! SSH keys of users (rest.md 4).

use serde::Serialize;
use utoipa::ToSchema;

use super::{local_moment, moment};
use crate::store::rest::keys::ListedKey;

/// A key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyShape {
    id: i64,
    title: String,
    #[schema(format = DateTime)]
    created_at: Option<String>,
    /// From then on it is refused.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// The line of the file that ends in `.pub`.
    key: String,
    /// `auth_and_signing`, `auth` or `signing`
    #[schema(example = "auth_and_signing")]
    usage_type: &'static str,
}

/// The words for `keys.usage_type`, in its order.
pub const USAGES: [&str; 3] = ["auth_and_signing", "auth", "signing"];

impl KeyShape {
    /// The key, whose comment says whose it is on this host.
    #[must_use]
    pub fn of(row: ListedKey, owner: &str, host: &str) -> Self {
        let mut words = row.key.split(' ').filter(|word| !word.is_empty());
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let key = format!("{kind} {body} {owner} ({host})");
        Self { key, ..Self::as_given(row) }
    }

    /// The key with the comment that it came with, as those for deployments are shown.
    #[must_use]
    pub fn as_given(row: ListedKey) -> Self {
        Self {
            id: row.id,
            title: row.title,
            created_at: row.created_at.map(local_moment),
            expires_at: row.expires_at.map(moment),
            last_used_at: row.last_used_at.map(local_moment),
            key: row.key,
            usage_type: usize::try_from(row.usage_type).ok().and_then(|usage| USAGES.get(usage)).unwrap_or(&USAGES[0]),
        }
    }
}
