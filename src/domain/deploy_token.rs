//! Deploy tokens: what they may do, and until when. Those of a project open its repository, those of a group the
//! repositories below it.

use chrono::{DateTime, Utc};

/// The scopes that a deploy token may have, in the order in which they are shown.
pub const SCOPES: [&str; 7] = [
    "read_repository",
    "read_registry",
    "write_registry",
    "read_package_registry",
    "write_package_registry",
    "read_virtual_registry",
    "write_virtual_registry",
];

/// What the text of a deploy token begins with.
pub const PREFIX: &str = "gldt-";

/// The end of a token that never ends: the column takes no null.
#[must_use]
pub fn forever() -> DateTime<Utc> {
    // 3000-01-01, as GitLab writes it.
    DateTime::from_timestamp(32_503_680_000, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// The name with which a token signs in that was given none.
#[must_use]
pub fn default_username(id: i64) -> String {
    format!("gitlab+deploy-token-{id}")
}

/// Whether a token of that end is over.
#[must_use]
pub fn is_expired(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    expires_at < now
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_token_is_good_until_its_end_and_for_ever_is_a_date() {
        let end = DateTime::UNIX_EPOCH;
        assert!(!is_expired(end, end));
        assert!(is_expired(end, end + TimeDelta::milliseconds(1)));
        assert_eq!(forever().to_rfc3339(), "3000-01-01T00:00:00+00:00");
    }
}
