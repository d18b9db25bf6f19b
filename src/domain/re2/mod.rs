//! Regular expressions in the dialect of RE2, in which GitLab's push rules are written.
//!
//! RE2's syntax is read here and handed to the engine of the `regex` crate as a tree. Both engines take time linear in
//! the text; what differs is the language: in RE2 `\d`, `\w`, `\s` and `\b` are ASCII, `\Q…\E` quotes, a brace that
//! repeats nothing is itself, and no repetition exceeds 1000. Only whether a text matches is asked, so greed and
//! captures are read and forgotten.

mod groups;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use regex_automata::meta;

/// Memory that a compiled expression may take: as much as RE2 gives to one.
const BYTES: usize = 8 << 20;

/// An expression that is ready to match.
#[derive(Debug)]
pub struct Re2(meta::Regex);

/// Why a text is no expression, in RE2's words, and the part of the text that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RegexError {
    reason: &'static str,
    part: String,
}

impl fmt::Display for RegexError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part.as_str() {
            "" => out.write_str(self.reason),
            part => write!(out, "{}: {part}", self.reason),
        }
    }
}

/// Where `^` and `$` match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorMode {
    /// At the text's own ends.
    Text,
    /// At the ends of each line.
    Lines,
}

impl Re2 {
    /// The expression that a text is.
    ///
    /// # Errors
    /// Where RE2 would not take it.
    pub fn new(pattern: &str, anchors: AnchorMode) -> Result<Self, RegexError> {
        let tree = parse::parse(pattern, anchors)?;
        // `\B` and `\C` may match inside a character.
        let config = meta::Config::new().utf8_empty(false).nfa_size_limit(Some(BYTES)).onepass(false);
        let regex = meta::Builder::new().configure(config).build_from_hir(&tree);
        regex.map(Self).map_err(|_| RegexError { reason: "pattern too large - compile failed", part: String::new() })
    }

    /// Whether some part of the text matches.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}
