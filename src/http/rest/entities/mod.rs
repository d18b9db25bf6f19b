//! Shapes of answers that several families have in them.

pub mod group;
pub mod key;
pub mod member;
pub mod project;
pub mod token;
pub mod user;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

use crate::domain::level::VisibilityLevel;

/// Visibilities, as clients name them.
pub const VISIBILITY_WORDS: &[(&str, i32)] = &[("private", 0), ("internal", 10), ("public", 20)];

/// A visibility, as clients name it.
#[must_use]
pub fn visibility_word(level: i32) -> &'static str {
    match VisibilityLevel::from_level(level) {
        VisibilityLevel::Private => "private",
        VisibilityLevel::Internal => "internal",
        VisibilityLevel::Public => "public",
    }
}

/// A moment as the API writes it: UTC, to the thousandth of a second.
#[must_use]
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The same of a column that holds UTC without saying so.
#[must_use]
pub fn local_moment(at: NaiveDateTime) -> String {
    moment(at.and_utc())
}
