//! What a client may ask of users: a filter's attributes resolved to what we keep, and the order of a list.

use chrono::{DateTime, Utc};

use super::attribute_path::AttributePath;
use super::filter::{FilterOperator, FilterValue, ScimFilter};

/// The URN of the user schema.
pub const USER_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// What a user's identity must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserCondition {
    /// The same for every user.
    Constant(bool),
    /// `userName eq`: the identity of that id, else the user of that name or that e-mail address.
    Named(String),
    /// A text compares so, in any letter case.
    Text(UserTextField, FilterOperator, String),
    /// A text is there and not empty.
    Filled(UserTextField),
    /// The identity is active, or is not.
    Active(bool),
    /// A moment compares so.
    Time(UserTimeField, FilterOperator, DateTime<Utc>),
    /// All hold.
    All(Vec<UserCondition>),
    /// One holds.
    Any(Vec<UserCondition>),
    /// It does not hold; what is absent does not hold.
    Not(Box<UserCondition>),
}

/// A text that we keep of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserTextField {
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
pub enum UserTimeField {
    /// `meta.created`
    Created,
    /// `meta.lastModified`
    LastModified,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScimUserOrder {
    /// What it goes by; `None` is the order in which identities were made.
    pub by: Option<UserSortField>,
    /// The other way around.
    pub descending: bool,
}

/// What a list can go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSortField {
    /// A text, in any letter case.
    Text(UserTextField),
    /// A moment.
    Time(UserTimeField),
}

/// A filter of good grammar that asks for something we do not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the filter asks for what is not kept")]
pub struct UnsupportedFilter;

/// An attribute, as far as filters know it.
enum FilterField {
    Text(UserTextField),
    Time(UserTimeField),
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
pub fn condition(filter: &ScimFilter) -> Result<UserCondition, UnsupportedFilter> {
    resolve(filter, None)
}

impl ScimUserOrder {
    /// The order that a client asks for. One that we do not know is none: a list in another order is still the list.
    #[must_use]
    pub fn parse(by: Option<&str>, order: Option<&str>) -> Self {
        let by = by.and_then(|text| AttributePath::parse(text.trim())).and_then(|attribute| {
            match field(&attribute, None)? {
                FilterField::Text(field) => Some(UserSortField::Text(field)),
                FilterField::Time(field) => Some(UserSortField::Time(field)),
                FilterField::Active | FilterField::ConstantText(_) | FilterField::Primary | FilterField::Complex => {
                    None
                }
            }
        });
        // Without an attribute there is nothing to turn around.
        let descending = by.is_some() && order.is_some_and(|text| text.trim().eq_ignore_ascii_case("descending"));
        Self { by, descending }
    }
}

fn resolve(filter: &ScimFilter, within: Option<&AttributePath>) -> Result<UserCondition, UnsupportedFilter> {
    let each =
        |filters: &[ScimFilter]| filters.iter().map(|filter| resolve(filter, within)).collect::<Result<Vec<_>, _>>();
    match filter {
        ScimFilter::And(filters) => each(filters).map(UserCondition::All),
        ScimFilter::Or(filters) => each(filters).map(UserCondition::Any),
        ScimFilter::Not(filter) => Ok(not(resolve(filter, within)?)),
        ScimFilter::Within(attribute, filter) if within.is_none() && attribute.sub().is_none() => {
            resolve(filter, Some(attribute))
        }
        ScimFilter::Within(..) => Err(UnsupportedFilter),
        ScimFilter::Present(attribute) => Ok(present(&field(attribute, within).ok_or(UnsupportedFilter)?)),
        ScimFilter::Compare(attribute, operator, value) => {
            // The attribute of this name alone: GitLab's specification says so of `id`.
            if *operator == FilterOperator::NotEqual
                && within.is_none()
                && attribute.of(USER_SCHEMA) == Some(("id", None))
            {
                return Err(UnsupportedFilter);
            }
            compare(&field(attribute, within).ok_or(UnsupportedFilter)?, *operator, value)
        }
    }
}

fn field(attribute: &AttributePath, within: Option<&AttributePath>) -> Option<FilterField> {
    let (name, sub) = match within {
        None => attribute.of(USER_SCHEMA)?,
        Some(outer) if attribute.schema().is_none() && attribute.sub().is_none() => {
            (outer.of(USER_SCHEMA)?.0, Some(attribute.name()))
        }
        Some(_) => return None,
    };
    Some(match (name, sub) {
        ("id" | "externalid", None) => FilterField::Text(UserTextField::Id),
        ("username", None) => FilterField::Text(UserTextField::UserName),
        ("emails", None | Some("value")) => FilterField::Text(UserTextField::Email),
        ("emails", Some("type")) => FilterField::ConstantText("work"),
        ("emails", Some("primary")) => FilterField::Primary,
        ("displayname", None) | ("name", Some("formatted")) => FilterField::Text(UserTextField::Name),
        ("name", Some("givenname")) => FilterField::Text(UserTextField::GivenName),
        ("name", Some("familyname")) => FilterField::Text(UserTextField::FamilyName),
        ("active", None) => FilterField::Active,
        ("meta", Some("created")) => FilterField::Time(UserTimeField::Created),
        ("meta", Some("lastmodified")) => FilterField::Time(UserTimeField::LastModified),
        ("meta", Some("resourcetype")) => FilterField::ConstantText("User"),
        ("schemas", None) => FilterField::ConstantText(USER_SCHEMA),
        ("name" | "meta", None) => FilterField::Complex,
        _ => return None,
    })
}

fn present(field: &FilterField) -> UserCondition {
    match field {
        FilterField::Text(text) => UserCondition::Filled(*text),
        FilterField::Time(_)
        | FilterField::Active
        | FilterField::ConstantText(_)
        | FilterField::Primary
        | FilterField::Complex => UserCondition::Constant(true),
    }
}

fn compare(
    field: &FilterField,
    operator: FilterOperator,
    value: &FilterValue,
) -> Result<UserCondition, UnsupportedFilter> {
    if let FilterValue::Null = value {
        return match operator {
            FilterOperator::Equal => Ok(not(present(field))),
            FilterOperator::NotEqual => Ok(present(field)),
            _ => Err(UnsupportedFilter),
        };
    }
    if operator == FilterOperator::NotEqual {
        return Ok(not(compare(field, FilterOperator::Equal, value)?));
    }
    match field {
        FilterField::Text(field) => text_condition(*field, operator, text_of(value)),
        FilterField::Time(field) => match operator {
            FilterOperator::Contains | FilterOperator::StartsWith | FilterOperator::EndsWith => Err(UnsupportedFilter),
            _ => {
                let time = DateTime::parse_from_rfc3339(text_of(value).trim()).map_err(|_| UnsupportedFilter)?;
                Ok(UserCondition::Time(*field, operator, time.to_utc()))
            }
        },
        FilterField::Active => Ok(UserCondition::Active(boolean(operator, value)?)),
        FilterField::Primary => Ok(UserCondition::Constant(boolean(operator, value)?)),
        FilterField::ConstantText(constant) => {
            Ok(UserCondition::Constant(holds(&constant.to_lowercase(), operator, &text_of(value).to_lowercase())))
        }
        FilterField::Complex => Err(UnsupportedFilter),
    }
}

fn text_condition(
    field: UserTextField,
    operator: FilterOperator,
    value: String,
) -> Result<UserCondition, UnsupportedFilter> {
    match (field, operator) {
        // Nobody has a blank id: who asks for one has lost the value that was meant.
        (UserTextField::Id, FilterOperator::Equal) if value.trim().is_empty() => Err(UnsupportedFilter),
        (UserTextField::UserName, FilterOperator::Equal) => Ok(UserCondition::Named(value)),
        _ => Ok(UserCondition::Text(field, operator, value)),
    }
}

fn text_of(value: &FilterValue) -> String {
    match value {
        FilterValue::Text(text) | FilterValue::Number(text) => text.clone(),
        FilterValue::Boolean(value) => value.to_string(),
        FilterValue::Null => String::new(),
    }
}

/// Booleans are equal or they are not; the RFC has no order of them.
fn boolean(operator: FilterOperator, value: &FilterValue) -> Result<bool, UnsupportedFilter> {
    let text = text_of(value);
    match (operator, text.trim()) {
        (FilterOperator::Equal, text) if text.eq_ignore_ascii_case("true") => Ok(true),
        (FilterOperator::Equal, text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(UnsupportedFilter),
    }
}

fn holds(text: &str, operator: FilterOperator, value: &str) -> bool {
    match operator {
        FilterOperator::Equal => text == value,
        FilterOperator::NotEqual => text != value,
        FilterOperator::Contains => text.contains(value),
        FilterOperator::StartsWith => text.starts_with(value),
        FilterOperator::EndsWith => text.ends_with(value),
        FilterOperator::Greater => text > value,
        FilterOperator::GreaterOrEqual => text >= value,
        FilterOperator::Less => text < value,
        FilterOperator::LessOrEqual => text <= value,
    }
}

fn not(condition: UserCondition) -> UserCondition {
    match condition {
        UserCondition::Constant(value) => UserCondition::Constant(!value),
        UserCondition::Active(value) => UserCondition::Active(!value),
        UserCondition::Not(condition) => *condition,
        other => UserCondition::Not(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<UserCondition, UnsupportedFilter> {
        condition(&ScimFilter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")))
    }

    fn text(field: UserTextField, operator: FilterOperator, value: &str) -> UserCondition {
        UserCondition::Text(field, operator, value.to_owned())
    }

    #[test]
    fn attributes_resolve_to_what_is_kept() {
        use FilterOperator::{Contains, Equal};
        for (filter, field) in [
            ("id", UserTextField::Id),
            ("externalId", UserTextField::Id),
            ("urn:ietf:params:scim:schemas:core:2.0:User:emails.value", UserTextField::Email),
            ("emails", UserTextField::Email),
            ("displayName", UserTextField::Name),
            ("name.formatted", UserTextField::Name),
            ("name.givenName", UserTextField::GivenName),
            ("name.familyName", UserTextField::FamilyName),
        ] {
            assert_eq!(of(&format!("{filter} eq \"X\"")), Ok(text(field, Equal, "X")), "{filter}");
            assert_eq!(of(&format!("{filter} pr")), Ok(UserCondition::Filled(field)), "{filter}");
        }
        assert_eq!(of("userName eq x"), Ok(UserCondition::Named("x".to_owned())));
        assert_eq!(of("userName co x"), Ok(text(UserTextField::UserName, Contains, "x")));
        assert_eq!(of("id eq 12345678901234567890"), Ok(text(UserTextField::Id, Equal, "12345678901234567890")));
        assert_eq!(of("active eq True"), Ok(UserCondition::Active(true)));
        assert_eq!(of("active ne true"), Ok(UserCondition::Active(false)));
        assert_eq!(
            of(r#"emails[type eq "work"].value eq "a@b.c""#),
            Ok(UserCondition::All(vec![UserCondition::Constant(true), text(UserTextField::Email, Equal, "a@b.c")]))
        );
        assert_eq!(of(r#"emails[type eq "home"]"#), Ok(UserCondition::Constant(false)));
        assert_eq!(of(r#"not (meta.resourceType ne "user")"#), Ok(UserCondition::Constant(true)));
        let time = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(
            of(r#"meta[lastModified ge "2023-11-14T23:13:20+01:00"]"#),
            Ok(UserCondition::Time(UserTimeField::LastModified, FilterOperator::GreaterOrEqual, time))
        );
    }

    #[test]
    fn null_means_absent() {
        assert_eq!(of("displayName ne null"), Ok(UserCondition::Filled(UserTextField::Name)));
        assert_eq!(
            of("displayName eq null"),
            Ok(UserCondition::Not(Box::new(UserCondition::Filled(UserTextField::Name))))
        );
        assert_eq!(of("active eq null"), Ok(UserCondition::Constant(false)));
        assert_eq!(of("displayName gt null"), Err(UnsupportedFilter));
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
            assert_eq!(of(filter), Err(UnsupportedFilter), "{filter}");
        }
        assert!(of(r#"externalId ne "x""#).is_ok());
        assert!(of(r#"not (id eq "x")"#).is_ok());
    }

    #[test]
    fn an_order_that_is_not_known_is_none() {
        let by_name = Some(UserSortField::Text(UserTextField::UserName));
        assert_eq!(ScimUserOrder::parse(Some("userName"), None), ScimUserOrder { by: by_name, descending: false });
        assert_eq!(
            ScimUserOrder::parse(Some("USERNAME"), Some("Descending")),
            ScimUserOrder { by: by_name, descending: true }
        );
        let created = Some(UserSortField::Time(UserTimeField::Created));
        assert_eq!(
            ScimUserOrder::parse(Some("meta.created"), Some("up")),
            ScimUserOrder { by: created, descending: false }
        );
        for by in ["", "title", "active", "name", "a b", "schemas"] {
            assert_eq!(ScimUserOrder::parse(Some(by), Some("descending")), ScimUserOrder::default(), "{by}");
        }
    }
}
