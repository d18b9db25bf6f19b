//! Versions of resources: entity tags that go by when a resource changed last (RFC 7644, section 3.14).

use chrono::{DateTime, Utc};

/// The version of a resource that changed last at this moment.
#[must_use]
pub fn version_of(updated_at: DateTime<Utc>) -> String {
    format!("W/\"{:x}\"", updated_at.timestamp_micros())
}

/// Whether a list of entity tags has the version of a resource that changed last at this moment. Ours are weak, and so
/// is the comparison.
#[must_use]
pub fn lists_version(tags: &str, updated_at: DateTime<Utc>) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let version = opaque(&version_of(updated_at));
    tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == version)
}

/// The versions that a client means to change, as its `If-Match` lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedVersion(Option<String>);

impl ExpectedVersion {
    /// Reads an `If-Match`; `None` where the client sends none, and means every version.
    #[must_use]
    pub fn new(if_match: Option<&str>) -> Self {
        Self(if_match.map(str::to_owned))
    }

    /// Whether the client means a resource that changed last at this moment.
    #[must_use]
    pub fn admits(&self, updated_at: DateTime<Utc>) -> bool {
        self.0.as_deref().is_none_or(|tags| lists_version(tags, updated_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_goes_by_microseconds() {
        assert_eq!(version_of(DateTime::from_timestamp_micros(0xabc).unwrap()), "W/\"abc\"");
    }

    #[test]
    fn a_list_of_tags_has_a_version_weak_or_not() {
        let moment = DateTime::from_timestamp_micros(0xabc).unwrap();
        for tags in ["W/\"abc\"", "\"abc\"", " * ", "\"x\", W/\"abc\"", "\"x\",\"abc\" "] {
            assert!(lists_version(tags, moment), "{tags}");
            assert!(ExpectedVersion::new(Some(tags)).admits(moment), "{tags}");
        }
        for tags in ["", "\"abcd\"", "abc", "W/\"ABC\"", "**", "\"x\", *"] {
            assert!(!lists_version(tags, moment), "{tags}");
            assert!(!ExpectedVersion::new(Some(tags)).admits(moment), "{tags}");
        }
        assert!(ExpectedVersion::new(None).admits(moment));
    }
}
