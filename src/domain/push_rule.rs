//! Push rules: what their expressions may be.

use super::re2::{AnchorMode, Re2};

/// The expressions of a push rule: their columns, what `^` and `$` mean in them, and how long they may be.
pub const EXPRESSIONS: [(&str, AnchorMode, usize); 5] = [
    ("commit_message_regex", AnchorMode::Lines, 511),
    ("commit_message_negative_regex", AnchorMode::Lines, 2047),
    ("author_email_regex", AnchorMode::Text, 511),
    ("file_name_regex", AnchorMode::Text, 511),
    ("branch_name_regex", AnchorMode::Text, 511),
];

/// Why a text is no expression of a push rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpressionFault {
    /// It is longer than so many characters.
    TooLong(usize),
    /// RE2 does not read it, for this reason.
    Syntax(String),
}

/// What is wrong with the text as the expression of that column.
#[must_use]
pub fn fault(column: &str, text: &str) -> Option<ExpressionFault> {
    let (_, anchors, most) = EXPRESSIONS.into_iter().find(|(name, ..)| *name == column)?;
    if text.chars().count() > most {
        return Some(ExpressionFault::TooLong(most));
    }
    Re2::new(text, anchors).err().map(|error| ExpressionFault::Syntax(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_one_of_re2_and_fits_its_column() {
        assert_eq!(fault("branch_name_regex", "^(main|rel/.*)$"), None);
        assert!(matches!(fault("branch_name_regex", "("), Some(ExpressionFault::Syntax(_))));
        assert!(matches!(fault("commit_message_regex", "(?=x)"), Some(ExpressionFault::Syntax(_))));
        assert_eq!(fault("author_email_regex", &"x".repeat(511)), None);
        assert_eq!(fault("author_email_regex", &"x".repeat(512)), Some(ExpressionFault::TooLong(511)));
        assert_eq!(fault("commit_message_negative_regex", &"x".repeat(2047)), None);
    }
}
