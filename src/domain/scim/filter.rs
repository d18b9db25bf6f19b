//! The filter language of RFC 7644, section 3.4.2.2: which resources does a client ask for?

mod parse;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};

use super::attribute_path::AttributePath;

/// The longest filter that is read, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;
/// The most comparisons in one filter.
pub const MAX_TERMS: usize = 64;
/// The deepest that parentheses and brackets nest.
pub const MAX_DEPTH: usize = 32;

/// What a resource must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimFilter {
    /// `userName eq "jane"`
    Compare(AttributePath, FilterOperator, FilterValue),
    /// `userName pr`: the attribute has a value.
    Present(AttributePath),
    /// Two or more, and all of them hold.
    And(Vec<ScimFilter>),
    /// Two or more, and one of them holds.
    Or(Vec<ScimFilter>),
    /// `not (…)`
    Not(Box<ScimFilter>),
    /// `emails[type eq "work"]`: one of the attribute's values is like this. The names inside are of its
    /// sub-attributes. `emails[type eq "work"].value eq "x"` is read as `emails[type eq "work" and value eq "x"]`.
    Within(AttributePath, Box<ScimFilter>),
}

/// How an attribute compares to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOperator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// What an attribute is compared to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterValue {
    /// A string, or a word without quotes: GitLab's documentation prints `id eq a-b-c-d`.
    Text(String),
    /// A number, in the client's digits: an id may be sent as one, and must come through unrounded.
    Number(String),
    /// `true` or `false`
    Boolean(bool),
    /// `null`
    Null,
}

/// Why a filter cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It does not follow the grammar.
    #[error("the filter does not follow the grammar of RFC 7644")]
    Malformed,
    /// It is longer than [`MAX_LENGTH`].
    #[error("the filter is longer than 8 KiB")]
    TooLong,
    /// It has more than [`MAX_TERMS`] comparisons.
    #[error("the filter has more than 64 comparisons")]
    TooManyTerms,
    /// It nests deeper than [`MAX_DEPTH`].
    #[error("the filter nests deeper than 32 levels")]
    TooDeep,
}

impl ScimFilter {
    /// Reads a filter. Where the text does not follow the grammar but starts with one attribute and `eq`, all that
    /// follows is the value, less its quotation marks: GitLab reads so, and `userName eq "CORP\jdoe"` depends on it.
    ///
    /// # Errors
    /// Where the text is no filter, or exceeds a limit.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        match Self::parse_strictly(text) {
            Err(FilterError::Malformed) => parse::as_gitlab_would(text).ok_or(FilterError::Malformed),
            read => read,
        }
    }

    /// Reads a filter that follows the grammar, and no other.
    ///
    /// # Errors
    /// Where the text is no filter, or exceeds a limit.
    pub fn parse_strictly(text: &str) -> Result<Self, FilterError> {
        parse::filter(text)
    }
}

impl FilterOperator {
    const ALL: [(Self, &'static str); 9] = [
        (Self::Equal, "eq"),
        (Self::NotEqual, "ne"),
        (Self::Contains, "co"),
        (Self::StartsWith, "sw"),
        (Self::EndsWith, "ew"),
        (Self::Greater, "gt"),
        (Self::GreaterOrEqual, "ge"),
        (Self::Less, "lt"),
        (Self::LessOrEqual, "le"),
    ];

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(operator, _)| operator)
    }
}

impl Display for FilterOperator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.into_iter().find(|(operator, _)| operator == self).map_or("", |(_, name)| name))
    }
}

impl Display for ScimFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(attribute, operator, value) => write!(f, "{attribute} {operator} {value}"),
            Self::Present(attribute) => write!(f, "{attribute} pr"),
            Self::And(filters) => join(f, filters, " and ", |inner| matches!(inner, Self::And(_) | Self::Or(_))),
            Self::Or(filters) => join(f, filters, " or ", |inner| matches!(inner, Self::Or(_))),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Within(attribute, filter) => write!(f, "{attribute}[{filter}]"),
        }
    }
}

fn join(
    f: &mut Formatter<'_>,
    filters: &[ScimFilter],
    word: &str,
    in_parentheses: fn(&ScimFilter) -> bool,
) -> fmt::Result {
    for (i, filter) in filters.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        if in_parentheses(filter) { write!(f, "({filter})")? } else { write!(f, "{filter}")? }
    }
    Ok(())
}

impl Display for FilterValue {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => {
                f.write_str("\"")?;
                for char in text.chars() {
                    match char {
                        '"' | '\\' => write!(f, "\\{char}")?,
                        '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(char))?,
                        _ => write!(f, "{char}")?,
                    }
                }
                f.write_str("\"")
            }
            Self::Number(digits) => f.write_str(digits),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}
