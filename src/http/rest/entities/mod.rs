//! Shapes of answers that several families have in them.

pub mod group;
pub mod key;
pub mod member;
pub mod project;
pub mod settings;
pub mod token;
pub mod user;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};

use crate::domain::level::VisibilityLevel;

/// Says in OpenAPI that an answer has one of these shapes. Both fit where one has all that the other one has.
macro_rules! shapes_of {
    ($(#[doc = $said:literal])+ $answer:ty: $($shape:ty),+) => {
        impl utoipa::PartialSchema for $answer {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                let said = [$($said.trim()),+].join(" ");
                let shapes = utoipa::openapi::schema::AnyOfBuilder::new().description(Some(said));
                $(
                    let name = <$shape as utoipa::ToSchema>::name();
                    let shapes = shapes.item(utoipa::openapi::Ref::from_schema_name(name));
                )+
                shapes.into()
            }
        }

        impl utoipa::ToSchema for $answer {
            fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
                $(
                    let name = <$shape as utoipa::ToSchema>::name().into_owned();
                    schemas.push((name, <$shape as utoipa::PartialSchema>::schema()));
                    <$shape as utoipa::ToSchema>::schemas(schemas);
                )+
            }
        }
    };
}
pub(super) use shapes_of;

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
