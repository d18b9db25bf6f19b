//! What a client may ask of users: a filter's attributes resolved to what we keep, and the order of a list.

use chrono::{DateTime, Utc};

use super::filter::{Filter, Operator, Value};
use super::path::Attribute;

/// The URN of the user schema.
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// What a user's identity must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The same for every user.
    Constant(bool),
    /// `userName eq`: the identity of that id, else the user of that name or that e-mail address.
    Named(String),
    /// A text compares so, in any letter case.
    Text(TextField, Operator, String),
    /// A text is there and not empty.
    Filled(TextField),
    /// The identity is active, or is not.
    Active(bool),
    /// A moment compares so.
    Time(TimeField, Operator, DateTime<Utc>),
    /// All hold.
    All(Vec<Condition>),
    /// One holds.
    Any(Vec<Condition>),
    /// It does not hold; what is absent does not hold.
    Not(Box<Condition>),
}

/// A text that we keep of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextField {
    /// `id` and `externalId`
    Id,
    /// `userName`
    UserName,
    /// `emails.value`
    Email,
    /// `displayName` and `name.formatted`
    Name,
    /// `name.givenName`
    GivenName,
    /// `name.familyName`
    FamilyName,
}

/// A moment that we keep of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeField {
    /// `meta.created`
    Created,
    /// `meta.lastModified`
    LastModified,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// What it goes by; `None` is the order in which identities were made.
    pub by: Option<SortField>,
    /// The other way around.
    pub descending: bool,
}

/// What a list can go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortField {
    /// A text, in any letter case.
    Text(TextField),
    /// A moment.
    Time(TimeField),
}

/// A filter of good grammar that asks for something we do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter asks for what is not kept")]
pub struct Unsupported;

/// An attribute, as far as filters know it.
enum Field {
    Text(TextField),
    Time(TimeField),
    Active,
    /// The same text for every user.
    ConstantText(&'static str),
    /// `emails.primary`
    Primary,
    /// A complex attribute that every user has; it is there, and compares to nothing.
    Complex,
}

/// The condition that a filter means.
///
/// # Errors
/// Where it names an attribute that we do not keep, or compares one to what it cannot be. `id ne` is refused, because
/// GitLab's clients rely on its refusal.
pub fn condition(filter: &Filter) -> Result<Condition, Unsupported> {
    resolve(filter, None)
}

impl Order {
    /// The order that a client asks for. One that we do not know is none: a list in another order is still the list.
    #[must_use]
    pub fn parse(by: Option<&str>, order: Option<&str>) -> Self {
        let by =
            by.and_then(|text| Attribute::parse(text.trim())).and_then(|attribute| match field(&attribute, None)? {
                Field::Text(field) => Some(SortField::Text(field)),
                Field::Time(field) => Some(SortField::Time(field)),
                Field::Active | Field::ConstantText(_) | Field::Primary | Field::Complex => None,
            });
        // Without an attribute there is nothing to turn around.
        let descending = by.is_some() && order.is_some_and(|text| text.trim().eq_ignore_ascii_case("descending"));
        Self { by, descending }
    }
}

fn resolve(filter: &Filter, within: Option<&Attribute>) -> Result<Condition, Unsupported> {
    let each = |filters: &[Filter]| filters.iter().map(|filter| resolve(filter, within)).collect::<Result<Vec<_>, _>>();
    match filter {
        Filter::And(filters) => each(filters).map(Condition::All),
        Filter::Or(filters) => each(filters).map(Condition::Any),
        Filter::Not(filter) => Ok(not(resolve(filter, within)?)),
        Filter::Within(attribute, filter) if within.is_none() && attribute.sub().is_none() => {
            resolve(filter, Some(attribute))
        }
        Filter::Within(..) => Err(Unsupported),
        Filter::Present(attribute) => Ok(present(&field(attribute, within).ok_or(Unsupported)?)),
        Filter::Compare(attribute, operator, value) => {
            // The attribute of this name alone: GitLab's specification says so of `id`.
            if *operator == Operator::NotEqual && within.is_none() && attribute.of(USER_SCHEMA) == Some(("id", None)) {
                return Err(Unsupported);
            }
            compare(&field(attribute, within).ok_or(Unsupported)?, *operator, value)
        }
    }
}

fn field(attribute: &Attribute, within: Option<&Attribute>) -> Option<Field> {
    let (name, sub) = match within {
        None => attribute.of(USER_SCHEMA)?,
        Some(outer) if attribute.schema().is_none() && attribute.sub().is_none() => {
            (outer.of(USER_SCHEMA)?.0, Some(attribute.name()))
        }
        Some(_) => return None,
    };
    Some(match (name, sub) {
        ("id" | "externalid", None) => Field::Text(TextField::Id),
        ("username", None) => Field::Text(TextField::UserName),
        ("emails", None | Some("value")) => Field::Text(TextField::Email),
        ("emails", Some("type")) => Field::ConstantText("work"),
        ("emails", Some("primary")) => Field::Primary,
        ("displayname", None) | ("name", Some("formatted")) => Field::Text(TextField::Name),
        ("name", Some("givenname")) => Field::Text(TextField::GivenName),
        ("name", Some("familyname")) => Field::Text(TextField::FamilyName),
        ("active", None) => Field::Active,
        ("meta", Some("created")) => Field::Time(TimeField::Created),
        ("meta", Some("lastmodified")) => Field::Time(TimeField::LastModified),
        ("meta", Some("resourcetype")) => Field::ConstantText("User"),
        ("schemas", None) => Field::ConstantText(USER_SCHEMA),
        ("name" | "meta", None) => Field::Complex,
        _ => return None,
    })
}

fn present(field: &Field) -> Condition {
    match field {
        Field::Text(text) => Condition::Filled(*text),
        Field::Time(_) | Field::Active | Field::ConstantText(_) | Field::Primary | Field::Complex => {
            Condition::Constant(true)
        }
    }
}

fn compare(field: &Field, operator: Operator, value: &Value) -> Result<Condition, Unsupported> {
    if let Value::Null = value {
        return match operator {
            Operator::Equal => Ok(not(present(field))),
            Operator::NotEqual => Ok(present(field)),
            _ => Err(Unsupported),
        };
    }
    if operator == Operator::NotEqual {
        return Ok(not(compare(field, Operator::Equal, value)?));
    }
    match field {
        Field::Text(field) => text_condition(*field, operator, text_of(value)),
        Field::Time(field) => match operator {
            Operator::Contains | Operator::StartsWith | Operator::EndsWith => Err(Unsupported),
            _ => {
                let time = DateTime::parse_from_rfc3339(text_of(value).trim()).map_err(|_| Unsupported)?;
                Ok(Condition::Time(*field, operator, time.to_utc()))
            }
        },
        Field::Active => Ok(Condition::Active(boolean(operator, value)?)),
        Field::Primary => Ok(Condition::Constant(boolean(operator, value)?)),
        Field::ConstantText(constant) => {
            Ok(Condition::Constant(holds(&constant.to_lowercase(), operator, &text_of(value).to_lowercase())))
        }
        Field::Complex => Err(Unsupported),
    }
}

fn text_condition(field: TextField, operator: Operator, value: String) -> Result<Condition, Unsupported> {
    match (field, operator) {
        // Nobody has a blank id: who asks for one has lost the value that was meant.
        (TextField::Id, Operator::Equal) if value.trim().is_empty() => Err(Unsupported),
        (TextField::UserName, Operator::Equal) => Ok(Condition::Named(value)),
        _ => Ok(Condition::Text(field, operator, value)),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Number(text) => text.clone(),
        Value::Boolean(value) => value.to_string(),
        Value::Null => String::new(),
    }
}

/// Booleans are equal or they are not; the RFC has no order of them.
fn boolean(operator: Operator, value: &Value) -> Result<bool, Unsupported> {
    let text = text_of(value);
    match (operator, text.trim()) {
        (Operator::Equal, text) if text.eq_ignore_ascii_case("true") => Ok(true),
        (Operator::Equal, text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Unsupported),
    }
}

fn holds(text: &str, operator: Operator, value: &str) -> bool {
    match operator {
        Operator::Equal => text == value,
        Operator::NotEqual => text != value,
        Operator::Contains => text.contains(value),
        Operator::StartsWith => text.starts_with(value),
        Operator::EndsWith => text.ends_with(value),
        Operator::Greater => text > value,
        Operator::GreaterOrEqual => text >= value,
        Operator::Less => text < value,
        Operator::LessOrEqual => text <= value,
    }
}

fn not(condition: Condition) -> Condition {
    match condition {
        Condition::Constant(value) => Condition::Constant(!value),
        Condition::Active(value) => Condition::Active(!value),
        Condition::Not(condition) => *condition,
        other => Condition::Not(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Condition, Unsupported> {
        condition(&Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    fn text(field: TextField, operator: Operator, value: &str) -> Condition {
        Condition::Text(field, operator, value.to_owned())
    }

    #[test]
    fn attributes_resolve_to_what_is_kept() {
        use Operator::{Contains, Equal};
        for (filter, field) in [
            ("id", TextField::Id),
            ("externalId", TextField::Id),
            ("urn:ietf:params:scim:schemas:core:2.0:User:emails.value", TextField::Email),
            ("emails", TextField::Email),
            ("displayName", TextField::Name),
            ("name.formatted", TextField::Name),
            ("name.givenName", TextField::GivenName),
            ("name.familyName", TextField::FamilyName),
        ] {
            assert_eq!(of(&format!("{filter} eq \"X\"")), Ok(text(field, Equal, "X")), "{filter}");
            assert_eq!(of(&format!("{filter} pr")), Ok(Condition::Filled(field)), "{filter}");
        }
        assert_eq!(of("userName eq x"), Ok(Condition::Named("x".to_owned())));
        assert_eq!(of("userName co x"), Ok(text(TextField::UserName, Contains, "x")));
        assert_eq!(of("id eq 12345678901234567890"), Ok(text(TextField::Id, Equal, "12345678901234567890")));
        assert_eq!(of("active eq True"), Ok(Condition::Active(true)));
        assert_eq!(of("active ne true"), Ok(Condition::Active(false)));
        assert_eq!(
            of(r#"emails[type eq "work"].value eq "a@b.c""#),
            Ok(Condition::All(vec![Condition::Constant(true), text(TextField::Email, Equal, "a@b.c")]))
        );
        assert_eq!(of(r#"emails[type eq "home"]"#), Ok(Condition::Constant(false)));
        assert_eq!(of(r#"not (meta.resourceType ne "user")"#), Ok(Condition::Constant(true)));
        let time = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(
            of(r#"meta[lastModified ge "2023-11-14T23:13:20+01:00"]"#),
            Ok(Condition::Time(TimeField::LastModified, Operator::GreaterOrEqual, time))
        );
    }

    #[test]
    fn null_means_absent() {
        assert_eq!(of("displayName ne null"), Ok(Condition::Filled(TextField::Name)));
        assert_eq!(of("displayName eq null"), Ok(Condition::Not(Box::new(Condition::Filled(TextField::Name)))));
        assert_eq!(of("active eq null"), Ok(Condition::Constant(false)));
        assert_eq!(of("displayName gt null"), Err(Unsupported));
    }

    /// scim-29
    #[test]
    fn what_is_not_kept_is_unsupported() {
        for filter in [
            r#"id ne "x""#,
            r#"active eq true or ID NE "x""#,
            r#"id eq """#,
            r#"externalId eq " ""#,
            "title pr",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:userName eq x",
            "name eq x",
            "active gt true",
            "active eq maybe",
            "active co true",
            "meta.created gt yesterday",
            r#"meta.created sw "2024""#,
            "emails[a.b pr]",
            "emails[value[x pr]]",
            "emails[id eq x]",
            "name.formatted[x pr]",
            "userName.x eq y",
        ] {
            assert_eq!(of(filter), Err(Unsupported), "{filter}");
        }
        assert!(of(r#"externalId ne "x""#).is_ok());
        assert!(of(r#"not (id eq "x")"#).is_ok());
    }

    #[test]
    fn an_order_that_is_not_known_is_none() {
        let by_name = Some(SortField::Text(TextField::UserName));
        assert_eq!(Order::parse(Some("userName"), None), Order { by: by_name, descending: false });
        assert_eq!(Order::parse(Some("USERNAME"), Some("Descending")), Order { by: by_name, descending: true });
        let created = Some(SortField::Time(TimeField::Created));
        assert_eq!(Order::parse(Some("meta.created"), Some("up")), Order { by: created, descending: false });
        for by in ["", "title", "active", "name", "a b", "schemas"] {
            assert_eq!(Order::parse(Some(by), Some("descending")), Order::default(), "{by}");
        }
    }
}
