//! The fields of a row that a document states otherwise, and how a report shows them.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use super::words::NumberedWord;

/// The fields of a row that a document states otherwise.
#[derive(Debug, Clone, Default)]
pub struct FieldChanges(Vec<String>);

impl FieldChanges {
    /// Whether the row agrees with the document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the changes of another part of the row.
    pub fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Notes a change whose values are not shown.
    pub fn note(&mut self, change: &str) {
        self.0.push(change.to_owned());
    }

    /// Puts what the document states into the row's field.
    pub fn set<T: PartialEq + ShownValue>(&mut self, field: &str, slot: &mut T, stated: Option<T>) {
        self.set_as(field, slot, stated, ShownValue::shown);
    }

    /// Puts the number of the word that the document states into the row's field.
    pub fn word<W: NumberedWord>(&mut self, field: &str, slot: &mut i32, stated: Option<W>) {
        self.set_as(field, slot, stated.map(NumberedWord::number), |number| W::word_of(*number));
    }

    /// Like [`FieldChanges::word`], for a field that may be null.
    pub fn optional_word<W: NumberedWord>(&mut self, field: &str, slot: &mut Option<i32>, stated: Option<W>) {
        let show = |number: &Option<i32>| number.map_or_else(|| "unset".to_owned(), W::word_of);
        self.set_as(field, slot, stated.map(|word| Some(word.number())), show);
    }

    /// Like [`FieldChanges::word`], for a field of a small type.
    pub fn small_word<W: NumberedWord>(&mut self, field: &str, slot: &mut i16, stated: Option<W>) {
        let mut number = i32::from(*slot);
        self.word(field, &mut number, stated);
        *slot = i16::try_from(number).unwrap_or(*slot);
    }

    /// Puts what the document states into the row's field, showing values in the given way.
    pub fn set_as<T: PartialEq>(&mut self, field: &str, slot: &mut T, stated: Option<T>, show: impl Fn(&T) -> String) {
        if let Some(stated) = stated.filter(|stated| stated != slot) {
            self.0.push(format!("{field} {} → {}", show(slot), show(&stated)));
            *slot = stated;
        }
    }
}

impl fmt::Display for FieldChanges {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.join(", "))
    }
}

/// A value as a line of the report shows it.
pub trait ShownValue {
    /// The value in a word or two.
    fn shown(&self) -> String;
}

impl ShownValue for String {
    fn shown(&self) -> String {
        let short: String = self.chars().take(60).collect();
        match (self.as_str(), short.len() < self.len()) {
            ("", _) => "\"\"".to_owned(),
            (_, true) => format!("{short}…"),
            (_, false) => short,
        }
    }
}

impl<T: ShownValue> ShownValue for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "unset".to_owned(), ShownValue::shown)
    }
}

impl<T: ShownValue> ShownValue for Vec<T> {
    fn shown(&self) -> String {
        format!("[{}]", self.iter().map(ShownValue::shown).collect::<Vec<_>>().join(", "))
    }
}

macro_rules! shown {
    ($($kind:ty)+) => {$(
        impl ShownValue for $kind {
            fn shown(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

shown!(bool i16 i32 i64 NaiveDate NaiveDateTime DateTime<Utc>);
