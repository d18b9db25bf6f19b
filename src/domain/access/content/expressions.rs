//! The expressions of push rules.

use crate::domain::access::Denial;
use crate::domain::re2::{AnchorMode, Re2};

/// An expression of a rule, in the language of RE2, which never backtracks: a user's expression cannot stop the server.
pub(super) struct RuleExpression<'a> {
    text: &'a str,
    regex: Re2,
}

impl<'a> RuleExpression<'a> {
    /// The expression; none where it is blank, which is none to GitLab.
    ///
    /// # Errors
    /// Where it is no expression of RE2's.
    pub(super) fn new(text: Option<&'a str>, anchors: AnchorMode) -> Result<Option<Self>, Denial> {
        let Some(text) = text.filter(|text| !text.chars().all(char::is_whitespace)) else { return Ok(None) };
        let regex = Re2::new(text, anchors);
        let regex =
            regex.map_err(|error| Denial::InvalidRegex { pattern: text.to_owned(), reason: error.to_string() })?;
        Ok(Some(Self { text, regex }))
    }

    /// Whether what git says matches: a branch, a path, an address, or a message, whose last newline does not count.
    fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(without_line_end(text))
    }
}

/// The text without the one end of a line that it may end with: `\n`, `\r\n` or `\r`, as Ruby's `chomp` has it.
pub(super) fn without_line_end(text: &str) -> &str {
    ["\r\n", "\n", "\r"].iter().find_map(|end| text.strip_suffix(end)).unwrap_or(text)
}

/// Refuses a text that the rule, where there is one, does not match.
pub(super) fn must_match(
    rule: Option<&RuleExpression<'_>>,
    text: &str,
    refusal: impl FnOnce(String) -> Denial,
) -> Result<(), Denial> {
    match rule {
        Some(rule) if !rule.is_match(text) => Err(refusal(rule.text.to_owned())),
        _ => Ok(()),
    }
}

/// Refuses a text that the rule, where there is one, matches.
pub(super) fn must_not_match(
    rule: Option<&RuleExpression<'_>>,
    text: &str,
    refusal: impl FnOnce(String) -> Denial,
) -> Result<(), Denial> {
    match rule {
        Some(rule) if rule.is_match(text) => Err(refusal(rule.text.to_owned())),
        _ => Ok(()),
    }
}
