//! `attributes` and `excludedAttributes`: which parts of a resource a client wants to see (RFC 7644, section 3.9).

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::domain::scim::attribute_path::AttributePath;

/// What is always shown.
const ALWAYS: [&str; 2] = ["id", "schemas"];

/// The parts of resources that are shown.
#[derive(Debug, Clone, Default)]
pub struct AttributeProjection {
    names: AttributeNames,
    /// The names are those that are left out.
    excluding: bool,
}

/// Names in lower case, each whole or by its parts.
#[derive(Debug, Clone, Default)]
struct AttributeNames {
    whole: HashSet<String>,
    parts: HashMap<String, HashSet<String>>,
    /// Nothing is named: everything is shown.
    none: bool,
}

impl AttributeProjection {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self { names: AttributeNames::default(), excluding: true }
    }

    /// What two lists of names ask for, of resources of this schema. Where both are given, `attributes` wins. Names
    /// that are no attribute's count as names of nothing.
    pub fn new<'a>(
        schema: &str,
        attributes: impl IntoIterator<Item = &'a str>,
        excluded: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let names = AttributeNames::parse(schema, attributes);
        if !names.none {
            return Self { excluding: names.whole.contains(schema), names };
        }
        Self { names: AttributeNames::parse(schema, excluded), excluding: true }
    }

    /// Whether the client asked for less than everything, or for everything by name.
    #[must_use]
    pub fn is_asked_for(&self) -> bool {
        !(self.excluding && self.names.whole.is_empty() && self.names.parts.is_empty())
    }

    /// Whether anything of an attribute is shown, whose name is in lower case.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        let whole = self.names.whole.contains(name);
        if self.excluding { !whole } else { whole || self.names.parts.contains_key(name) }
    }

    /// The resource, less what is not shown.
    #[must_use]
    pub fn apply(&self, resource: Map<String, Value>) -> Map<String, Value> {
        resource.into_iter().filter_map(|(name, value)| self.shown(&name, value).map(|value| (name, value))).collect()
    }

    fn shown(&self, name: &str, value: Value) -> Option<Value> {
        let lower = name.to_ascii_lowercase();
        if ALWAYS.contains(&lower.as_str()) {
            return Some(value);
        }
        // GitLab's flat `name.formatted` is named like a part of `name`.
        let flat = lower.split_once('.').is_some_and(|(name, part)| self.names.has_part(name, part));
        let whole = self.names.whole.contains(&lower) || flat;
        match self.names.parts.get(&lower) {
            _ if whole => (!self.excluding).then_some(value),
            Some(parts) => parts_of(value, parts, self.excluding),
            None => self.excluding.then_some(value),
        }
    }
}

impl AttributeNames {
    fn parse<'a>(schema: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Self { none: true, ..Self::default() };
        for text in texts.into_iter().flat_map(|list| list.split(',')).map(str::trim).filter(|text| !text.is_empty()) {
            names.none = false;
            if text.eq_ignore_ascii_case(schema) {
                names.whole.insert(schema.to_owned());
            }
            match AttributePath::parse(text).as_ref().and_then(|attribute| attribute.of(schema)) {
                Some((name, None)) => {
                    names.whole.insert(name.to_owned());
                }
                Some((name, Some(part))) => {
                    names.parts.entry(name.to_owned()).or_default().insert(part.to_owned());
                }
                None => {}
            }
        }
        names
    }

    fn has_part(&self, name: &str, part: &str) -> bool {
        self.parts.get(name).is_some_and(|parts| parts.contains(part))
    }
}

/// The parts of a complex value, or of each of many, that are shown; `None` where nothing is left.
fn parts_of(value: Value, named: &HashSet<String>, excluding: bool) -> Option<Value> {
    let kept = |part: &str| named.contains(&part.to_ascii_lowercase()) != excluding;
    match value {
        Value::Object(parts) => {
            let parts: Map<_, _> = parts.into_iter().filter(|(part, _)| kept(part)).collect();
            (!parts.is_empty()).then_some(Value::Object(parts))
        }
        Value::Array(values) => {
            let values: Vec<_> = values.into_iter().filter_map(|value| parts_of(value, named, excluding)).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        // A simple value has no parts: one that is asked for is not there, and one that is left out takes nothing along.
        simple => excluding.then_some(simple),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::scim::search::USER_SCHEMA;

    fn shown(attributes: &str, excluded: &str) -> String {
        let Value::Object(user) = json!({
            "schemas": [USER_SCHEMA], "id": "x", "active": true, "name.formatted": "A B",
            "name": {"formatted": "A B", "givenName": "A"}, "userName": "ab",
            "emails": [{"type": "work", "value": "a@b.c", "primary": true}],
        }) else {
            unreachable!()
        };
        let mut user = AttributeProjection::new(USER_SCHEMA, [attributes], [excluded]).apply(user);
        user.remove("schemas").expect("the schemas are always shown");
        user.remove("id").expect("the id is always shown");
        Value::Object(user).to_string()
    }

    /// scim-75
    #[test]
    fn what_is_named_is_shown_or_left_out() {
        assert_eq!(shown("userName", ""), r#"{"userName":"ab"}"#);
        assert_eq!(shown("USERNAME , emails.Value", "userName"), r#"{"emails":[{"value":"a@b.c"}],"userName":"ab"}"#);
        assert_eq!(shown("urn:ietf:params:scim:schemas:core:2.0:User:active", ""), r#"{"active":true}"#);
        assert_eq!(shown("name.formatted", ""), r#"{"name":{"formatted":"A B"},"name.formatted":"A B"}"#);
        assert_eq!(shown("name,name.givenName", ""), r#"{"name":{"formatted":"A B","givenName":"A"}}"#);
        assert_eq!(shown("nonsense,", ""), "{}");
        assert_eq!(shown("active.x", ""), "{}");
        let all = shown(" , ", "");
        assert_eq!(shown("", "id,schemas,nonsense,active.x"), all);
        assert_eq!(shown("urn:ietf:params:scim:schemas:core:2.0:User", ""), all);
        assert_eq!(shown("", "emails,name.formatted,active"), r#"{"name":{"givenName":"A"},"userName":"ab"}"#);
        assert_eq!(
            shown("", "emails.value,name.givenName,name.formatted,active,userName"),
            r#"{"emails":[{"primary":true,"type":"work"}]}"#
        );
    }
}
