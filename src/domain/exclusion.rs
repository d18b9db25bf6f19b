//! Exclusions from storage limits: what their reason must be (provisioning.md 6).

use super::ids::NamespaceId;
use super::ledger::LedgerFields;

/// Characters of a reason at most.
const REASON_LENGTH: usize = 255;

/// Why a namespace has no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExclusionReason(String);

impl ExclusionReason {
    /// The reason, as long as there is one.
    pub fn new(text: Option<String>) -> Result<Self, &'static str> {
        let text = text.filter(|text| !text.trim().is_empty()).ok_or("can't be blank")?;
        if text.chars().count() > REASON_LENGTH {
            return Err("is too long (maximum is 255 characters)");
        }
        Ok(Self(text))
    }

    /// The reason as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A namespace that has no limit on its storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageExclusion {
    /// `namespaces_storage_limit_exclusions.id`
    pub id: i64,
    /// Which namespace.
    pub namespace: NamespaceId,
    /// Why.
    pub reason: String,
}

impl StorageExclusion {
    /// The exclusion as the ledger keeps it.
    #[must_use]
    pub fn fields(&self) -> LedgerFields {
        vec![("reason", self.reason.as_str().into())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_to_255_characters() {
        assert!(ExclusionReason::new(Some("日".repeat(255))).is_ok());
        assert_eq!(ExclusionReason::new(Some("x".repeat(256))), Err("is too long (maximum is 255 characters)"));
        for blank in [None, Some(String::new()), Some(" \t".to_owned())] {
            assert_eq!(ExclusionReason::new(blank), Err("can't be blank"));
        }
    }
}
