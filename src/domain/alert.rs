//! Alerts of a project: what one is, and when two are one (kas.md 2.5).

use sha1::{Digest, Sha1};

/// An alert, as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What happened.
    pub title: String,
    /// Why.
    pub description: Option<String>,
    /// What noticed it.
    pub monitoring_tool: &'static str,
    /// What makes two alerts one.
    pub fingerprint: [u8; 20],
    /// All that was said, as JSON.
    pub payload: String,
}

/// The fingerprint of a text that names the alert.
#[must_use]
pub fn fingerprint(text: &str) -> [u8; 20] {
    Sha1::digest(text).into()
}

/// The text, cut to so many characters.
#[must_use]
pub fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// Characters of a title, at most.
pub const TITLE: usize = 200;
/// Characters of a description, at most.
pub const DESCRIPTION: usize = 1_000;
/// What an alert without a title is called.
pub const UNTITLED: &str = "New: Alert";

#[cfg(test)]
mod tests {
    use super::*;

    /// kas-45
    #[test]
    fn a_stated_fingerprint_is_digested() {
        let expected = 0xa94a_8fe5_ccb1_9ba6_1c4c_0873_d391_e987_u128.to_be_bytes();
        assert_eq!(fingerprint("test")[..16], expected);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("éàü", 2), "éà");
        assert_eq!(cut("é", 2), "é");
    }
}
