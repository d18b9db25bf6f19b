//! The grammar by recursive descent: a function for each rule, from the loosest binding to the tightest.

use super::{FilterError, FilterOperator, FilterValue, MAX_DEPTH, MAX_LENGTH, MAX_TERMS, ScimFilter};
use crate::domain::scim::attribute_path::AttributePath;

type Result<T> = std::result::Result<T, FilterError>;

/// A filter that fills the whole text.
pub fn filter(text: &str) -> Result<ScimFilter> {
    if text.len() > MAX_LENGTH {
        return Err(FilterError::TooLong);
    }
    let mut reader = FilterReader { rest: text, terms: 0, depth: 0 };
    let filter = reader.either()?;
    reader.skip_blanks();
    if reader.rest.is_empty() { Ok(filter) } else { Err(FilterError::Malformed) }
}

/// `attribute eq anything at all`
pub fn as_gitlab_would(text: &str) -> Option<ScimFilter> {
    let (attribute, rest) = text.trim().split_once(char::is_whitespace)?;
    let (operator, value) = rest.trim_start().split_once(char::is_whitespace)?;
    if !operator.eq_ignore_ascii_case("eq") || value.contains('\0') {
        return None;
    }
    let value = value.trim().replace('"', "");
    Some(ScimFilter::Compare(AttributePath::parse(attribute)?, FilterOperator::Equal, FilterValue::Text(value)))
}

struct FilterReader<'a> {
    rest: &'a str,
    terms: usize,
    depth: usize,
}

impl<'a> FilterReader<'a> {
    fn either(&mut self) -> Result<ScimFilter> {
        let mut filters = vec![self.all()?];
        while self.take_word("or") {
            filters.push(self.all()?);
        }
        Ok(alone_or(filters, ScimFilter::Or))
    }

    fn all(&mut self) -> Result<ScimFilter> {
        let mut filters = vec![self.single()?];
        while self.take_word("and") {
            filters.push(self.single()?);
        }
        Ok(alone_or(filters, ScimFilter::And))
    }

    fn single(&mut self) -> Result<ScimFilter> {
        if self.take('(') {
            return self.nested(')');
        }
        let before = self.rest;
        if self.take_word("not") && self.take('(') {
            return Ok(ScimFilter::Not(Box::new(self.nested(')')?)));
        }
        self.rest = before;
        self.term()
    }

    /// A filter up to the mark that closes it.
    fn nested(&mut self, close: char) -> Result<ScimFilter> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FilterError::TooDeep);
        }
        let filter = self.either()?;
        self.depth -= 1;
        if self.take(close) { Ok(filter) } else { Err(FilterError::Malformed) }
    }

    fn term(&mut self) -> Result<ScimFilter> {
        let attribute = self.attribute()?;
        if !self.rest.starts_with('[') {
            return self.comparison(attribute);
        }
        self.take('[');
        let mut within = self.nested(']')?;
        if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let sub = self.attribute()?;
            let more = self.comparison(sub)?;
            within = match within {
                ScimFilter::And(mut filters) => {
                    filters.push(more);
                    ScimFilter::And(filters)
                }
                other => ScimFilter::And(vec![other, more]),
            };
        }
        Ok(ScimFilter::Within(attribute, Box::new(within)))
    }

    /// What follows an attribute: `pr`, or an operator and a value.
    fn comparison(&mut self, attribute: AttributePath) -> Result<ScimFilter> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            return Err(FilterError::TooManyTerms);
        }
        if self.take_word("pr") {
            return Ok(ScimFilter::Present(attribute));
        }
        let operator = FilterOperator::parse(self.word()).ok_or(FilterError::Malformed)?;
        Ok(ScimFilter::Compare(attribute, operator, self.value()?))
    }

    fn attribute(&mut self) -> Result<AttributePath> {
        AttributePath::parse(self.word()).ok_or(FilterError::Malformed)
    }

    fn value(&mut self) -> Result<FilterValue> {
        self.skip_blanks();
        if self.rest.starts_with('"') {
            return self.quoted().map(FilterValue::Text);
        }
        Ok(match self.word() {
            "" => return Err(FilterError::Malformed),
            "true" => FilterValue::Boolean(true),
            "false" => FilterValue::Boolean(false),
            "null" => FilterValue::Null,
            word if word.contains('\0') => return Err(FilterError::Malformed),
            word if is_number(word) => FilterValue::Number(word.to_owned()),
            word => FilterValue::Text(word.to_owned()),
        })
    }

    /// A JSON string. PostgreSQL's texts hold no NUL, so none is read.
    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest[1..].chars();
        loop {
            let char = match chars.next().ok_or(FilterError::Malformed)? {
                '"' => break,
                '\\' => escaped(&mut chars).ok_or(FilterError::Malformed)?,
                char => char,
            };
            if char == '\0' {
                return Err(FilterError::Malformed);
            }
            text.push(char);
        }
        self.rest = chars.as_str();
        Ok(text)
    }

    /// Everything up to a blank or a mark of the grammar; empty where there is nothing.
    fn word(&mut self) -> &'a str {
        self.skip_blanks();
        let marks = |char: char| char.is_whitespace() || "()[]\"".contains(char);
        let (word, rest) = self.rest.split_at(self.rest.find(marks).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn take_word(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        let found = self.word().eq_ignore_ascii_case(wanted);
        if !found {
            self.rest = before;
        }
        found
    }

    fn take(&mut self, mark: char) -> bool {
        self.skip_blanks();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }
}

fn alone_or(mut filters: Vec<ScimFilter>, many: fn(Vec<ScimFilter>) -> ScimFilter) -> ScimFilter {
    if filters.len() == 1 { filters.remove(0) } else { many(filters) }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        char @ ('"' | '\\' | '/') => char,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = hex(chars)?;
            if !(0xd800..0xdc00).contains(&first) {
                return char::from_u32(first);
            }
            let second = (chars.next()? == '\\' && chars.next()? == 'u').then(|| hex(chars))??;
            let low = (0xdc00..0xe000).contains(&second).then(|| second - 0xdc00)?;
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)?
        }
        _ => return None,
    })
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + chars.next()?.to_digit(16)?))
}

/// A number as JSON writes it. Anything else, `007` or `1.2.3`, is a word.
fn is_number(word: &str) -> bool {
    fn digits(text: &str) -> &str {
        text.trim_start_matches(|char: char| char.is_ascii_digit())
    }
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let mut rest = digits(unsigned);
    let whole = &unsigned[..unsigned.len() - rest.len()];
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = digits(fraction);
        if rest.len() == fraction.len() {
            return false;
        }
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        rest = digits(exponent);
        if rest.len() == exponent.len() {
            return false;
        }
    }
    rest.is_empty()
}
