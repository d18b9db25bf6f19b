//! Names of attributes, and the paths of PATCH operations (RFC 7644, section 3.5.2).

use std::fmt::{self, Display, Formatter};

use super::filter::{FilterError, ScimFilter};

/// The longest path that is read, in bytes.
pub const MAX_LENGTH: usize = 8 * 1024;

/// An attribute's name: `[schema:]name[.sub]`. Names are compared in any letter case and kept in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributePath {
    schema: Option<String>,
    name: String,
    sub: Option<String>,
}

impl AttributePath {
    /// The attribute that is named so; `None` where the text is no name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (schema, path) = match text.rsplit_once(':') {
            Some((schema, path)) if is_urn(schema) => (Some(schema.to_owned()), path),
            Some(_) => return None,
            None => (None, text.as_str()),
        };
        let (name, sub) = path.split_once('.').map_or((path, None), |(name, sub)| (name, Some(sub)));
        (is_name(name) && sub.is_none_or(is_name)).then(|| Self {
            schema,
            name: name.to_owned(),
            sub: sub.map(str::to_owned),
        })
    }

    /// The URN of the schema that it is said to be of, in lower case.
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The attribute, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The part of a complex attribute, in lower case.
    #[must_use]
    pub fn sub(&self) -> Option<&str> {
        self.sub.as_deref()
    }

    /// The name and its part, where the attribute is of this schema or does not say.
    #[must_use]
    pub fn of(&self, schema: &str) -> Option<(&str, Option<&str>)> {
        let ours = self.schema.as_deref().is_none_or(|said| said.eq_ignore_ascii_case(schema));
        ours.then_some((self.name.as_str(), self.sub.as_deref()))
    }
}

impl Display for AttributePath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.name)?;
        self.sub.iter().try_for_each(|sub| write!(f, ".{sub}"))
    }
}

/// What a PATCH operation is about: `attribute`, `attribute.sub`, `attribute[filter]` or `attribute[filter].sub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchPath {
    /// The attribute.
    pub attribute: AttributePath,
    /// Which of its values.
    pub filter: Option<ScimFilter>,
    /// Which part of those, in lower case. Without a filter the part is in the attribute.
    pub sub: Option<String>,
}

impl PatchPath {
    /// Reads a path. Blanks around it do not count.
    ///
    /// # Errors
    /// Where the text is no path, or its filter exceeds a limit.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(FilterError::TooLong);
        }
        let attribute = |text: &str| AttributePath::parse(text).ok_or(FilterError::Malformed);
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(Self { attribute: attribute(text)?, filter: None, sub: None });
        };
        // A bracket may stand inside a string; no path has one after its filter.
        let (filter, rest) = rest.rsplit_once(']').ok_or(FilterError::Malformed)?;
        let sub = match rest.strip_prefix('.') {
            Some(sub) if is_name(sub) => Some(sub.to_ascii_lowercase()),
            None if rest.is_empty() => None,
            _ => return Err(FilterError::Malformed),
        };
        Ok(Self { attribute: attribute(name)?, filter: Some(ScimFilter::parse_strictly(filter)?), sub })
    }
}

impl Display for PatchPath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.attribute)?;
        self.filter.iter().try_for_each(|filter| write!(f, "[{filter}]"))?;
        self.sub.iter().try_for_each(|sub| write!(f, ".{sub}"))
    }
}

/// A letter, then letters, digits, `-` and `_`; `$ref` alone starts otherwise.
fn is_name(text: &str) -> bool {
    let rest = |text: &str| text.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '$') && rest(&text[1..])
}

fn is_urn(text: &str) -> bool {
    let printable = |char: char| char.is_ascii_graphic() && !"()[]\"".contains(char);
    text.strip_prefix("urn:").is_some_and(|rest| !rest.is_empty() && rest.chars().all(printable))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

    #[test]
    fn a_name_may_carry_its_schema_and_a_part() {
        let attribute = |text: &str| AttributePath::parse(text).unwrap();
        assert_eq!(attribute("userName").of(USER), Some(("username", None)));
        assert_eq!(attribute("name.familyName").of(USER), Some(("name", Some("familyname"))));
        let full = attribute("URN:ietf:params:scim:schemas:core:2.0:user:name.formatted");
        assert_eq!(full.of(USER), Some(("name", Some("formatted"))));
        assert_eq!(full.schema(), Some("urn:ietf:params:scim:schemas:core:2.0:user"));
        assert_eq!(attribute("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department").of(USER), None);
        assert_eq!(attribute("manager.$ref").sub(), Some("$ref"));
        for text in ["", ".", "a.", ".a", "a.b.c", "1a", "a b", "a:b", "urn:", ":a", "a\0", "ä", "a[b]", "-a", "a$"] {
            assert_eq!(AttributePath::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn paths_of_patch_operations_are_read() {
        let printed =
            |text: &str| PatchPath::parse(text).map_or_else(|error| error.to_string(), |path| path.to_string());
        assert_eq!(printed(" Active "), "active");
        assert_eq!(printed("name.FamilyName"), "name.familyname");
        assert_eq!(printed(r#"members[value pr and display eq "]["]"#), r#"members[value pr and display eq "]["]"#);
        assert_eq!(printed(r#"emails[type eq "work"].Value"#), r#"emails[type eq "work"].value"#);
        assert_eq!(
            printed(r#"urn:ietf:params:scim:schemas:core:2.0:User:emails[type eq "work"].value"#),
            r#"urn:ietf:params:scim:schemas:core:2.0:user:emails[type eq "work"].value"#
        );
        for text in
            ["", " ", "a[", "a]", "a[b pr]c", "a[b pr].", "a[b pr].c.d", "[b pr]", "a[]", "a[b pr]]", "a b", "a."]
        {
            assert_eq!(PatchPath::parse(text), Err(FilterError::Malformed), "{text:?}");
        }
        assert_eq!(PatchPath::parse(&"a".repeat(MAX_LENGTH + 1)), Err(FilterError::TooLong));
        assert_eq!(PatchPath::parse(&format!("a[{}", "(".repeat(99) + "]")), Err(FilterError::TooDeep));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = PatchPath::parse(&text);
            let _ = PatchPath::parse(&format!("a[{text}].b"));
        }

        #[test]
        fn what_is_printed_reads_back_the_same(text in "[a-z$][a-z]{0,4}(\\.[a-z]{1,4})?(\\[x eq \"\\PC{0,9}\"\\](\\.[a-z]{1,4})?)?") {
            if let Ok(path) = PatchPath::parse(&text) {
                prop_assert_eq!(PatchPath::parse(&path.to_string()), Ok(path));
            }
        }
    }
}
