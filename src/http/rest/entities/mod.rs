//! Shapes of answers that several families have in them.

pub mod key;
pub mod token;
pub mod user;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

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
