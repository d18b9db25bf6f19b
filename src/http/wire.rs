//! The lenient scalars of the wire: clients send an id as text or as a number, and nothing as null. And what no wire
//! may bring: a NUL, which PostgreSQL's text and JSON have no place for.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A text, a number or a truth value, as text. A NUL is refused: PostgreSQL's text has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireText(pub String);

/// A list of texts, or one text alone, or null for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WireTexts(pub Vec<String>);

/// Text that git wrote: names of refs and push options, which are bytes. What of them is no UTF-8 is read as U+FFFD, as
/// Gitaly's own JSON has it, whatever encodes the request: then it is judged, not refused unread or lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitText(pub String);

/// A list of what git wrote, or one text alone, or null for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GitTexts(pub Vec<String>);

/// The parameters that hold what git wrote.
pub const WRITTEN_BY_GIT: [&str; 3] = ["changes", "push_options", "push_options[]"];

impl WireText {
    /// The text as an id: a positive decimal that a `bigint` can hold.
    #[must_use]
    pub fn id(&self) -> Option<i64> {
        let digits = self.0.bytes().all(|byte| byte.is_ascii_digit());
        self.0.parse().ok().filter(|id| digits && *id > 0)
    }
}

impl AsRef<str> for WireText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for WireText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for WireTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

impl<'de> Deserialize<'de> for GitText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for bytes, a JSON reader does not insist on UTF-8.
        deserializer.deserialize_byte_buf(GitTextVisitor)
    }
}

impl<'de> Deserialize<'de> for GitTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GitTextsVisitor)
    }
}

struct GitTextVisitor;

impl Visitor<'_> for GitTextVisitor {
    type Value = GitText;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text of git's")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<GitText, E> {
        TextVisitor.visit_str(text).map(|text| GitText(text.0))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<GitText, E> {
        self.visit_str(&String::from_utf8_lossy(bytes))
    }
}

struct GitTextsVisitor;

impl<'de> Visitor<'de> for GitTextsVisitor {
    type Value = GitTexts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of texts")
    }

    fn visit_unit<E: Error>(self) -> Result<GitTexts, E> {
        Ok(GitTexts::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<GitTexts, E> {
        GitTextVisitor.visit_str(text).map(|text| GitTexts(vec![text.0]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<GitTexts, A::Error> {
        let mut texts = Vec::new();
        while let Some(GitText(text)) = list.next_element()? {
            texts.push(text);
        }
        Ok(GitTexts(texts))
    }
}

/// Whether a text or a name in the value holds a NUL.
#[must_use]
pub fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(object) => name_with_nul(object).is_some(),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The first name in the object that holds a NUL, or whose value does.
#[must_use]
pub fn name_with_nul(object: &Map<String, Value>) -> Option<&str> {
    let holds = |(name, value): &(&String, &Value)| name.contains('\0') || holds_nul(value);
    object.iter().find(holds).map(|(name, _)| name.as_str())
}

/// Whether a JSON text says a NUL. It can only as an escape, so that the text need not be parsed.
#[must_use]
pub fn says_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        match &rest[at + 1..] {
            [b'u', b'0', b'0', b'0', b'0', ..] => return true,
            [_, after @ ..] => rest = after,
            [] => break,
        }
    }
    false
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = WireText;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a text or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireText, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<WireText, E> {
        if text.contains('\0') { Err(E::custom("a NUL in a text")) } else { Ok(WireText(text)) }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<WireText, E> {
        Ok(WireText(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<WireText, E> {
        Ok(WireText(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<WireText, E> {
        Ok(WireText(number.to_string()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<WireText, E> {
        Ok(WireText(value.to_string()))
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = WireTexts;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of texts")
    }

    fn visit_unit<E: Error>(self) -> Result<WireTexts, E> {
        Ok(WireTexts::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WireTexts, E> {
        TextVisitor.visit_str(text).map(|text| WireTexts(vec![text.0]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WireTexts, A::Error> {
        let mut texts = Vec::new();
        while let Some(WireText(text)) = list.next_element()? {
            texts.push(text);
        }
        Ok(WireTexts(texts))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_nul_is_seen_in_the_text_as_in_the_value(text in "[\\\\u0\0a\"]{0,12}", name in "[\\\\u0\0]{0,6}") {
            let value = serde_json::json!({ name.as_str(): [text.as_str()] });
            let holds = text.contains('\0') || name.contains('\0');
            prop_assert_eq!(holds_nul(&value), holds);
            prop_assert_eq!(says_nul(value.to_string().as_bytes()), holds);
        }
    }
}
