//! Groups of an identity provider: which of them a client asks for in which order, and what becomes of their members.

use std::collections::BTreeMap;

use super::attribute_path::AttributePath;
use super::filter::{FilterOperator, FilterValue, ScimFilter};
use super::search::UnsupportedFilter;

/// The URN of the group schema.
pub const GROUP_SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The name that a filter asks for. Groups are found by `displayName eq` alone, as GitLab has it.
///
/// # Errors
/// For every other filter.
pub fn display_name(filter: &ScimFilter) -> Result<&str, UnsupportedFilter> {
    match filter {
        ScimFilter::Compare(attribute, FilterOperator::Equal, FilterValue::Text(name))
            if attribute.of(GROUP_SCHEMA) == Some(("displayname", None)) =>
        {
            Ok(unquoted(name))
        }
        _ => Err(UnsupportedFilter),
    }
}

/// The order of a list of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScimGroupOrder {
    /// By `displayName`; otherwise the order in which groups were made.
    pub by_name: bool,
    /// The other way around.
    pub descending: bool,
}

impl ScimGroupOrder {
    /// The order that a client asks for. One that we do not know is none: a list in another order is still the list.
    #[must_use]
    pub fn parse(by: Option<&str>, order: Option<&str>) -> Self {
        let attribute = by.and_then(|text| AttributePath::parse(text.trim()));
        let part = attribute.as_ref().and_then(|attribute| attribute.of(GROUP_SCHEMA));
        let by_name = part == Some(("displayname", None));
        let known = by_name || part == Some(("meta", Some("created")));
        let descending = known && order.is_some_and(|text| text.trim().eq_ignore_ascii_case("descending"));
        Self { by_name, descending }
    }
}

/// A text of a filter without single quotation marks, which GitLab takes too.
#[must_use]
pub fn unquoted(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}

/// What becomes of a group's members, by the ids that the provider has of them. Of several changes the later one wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScimMemberChange {
    /// Nobody stays but those who are added.
    replaces: bool,
    /// By id in lower case: the id as it was sent, and whether they are in afterwards.
    named: BTreeMap<String, (String, bool)>,
}

impl ScimMemberChange {
    /// These are in.
    pub fn add(&mut self, ids: impl IntoIterator<Item = String>) {
        self.put(ids, true);
    }

    /// These are out.
    pub fn remove(&mut self, ids: impl IntoIterator<Item = String>) {
        self.put(ids, false);
    }

    /// These are in and nobody else.
    pub fn replace(&mut self, ids: impl IntoIterator<Item = String>) {
        *self = Self { replaces: true, ..Self::default() };
        self.add(ids);
    }

    fn put(&mut self, ids: impl IntoIterator<Item = String>, is_in: bool) {
        self.named.extend(ids.into_iter().map(|id| (id.to_lowercase(), (id, is_in))));
    }

    /// Whether those who are not named are out.
    #[must_use]
    pub fn replaces(&self) -> bool {
        self.replaces
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.replaces && self.named.is_empty()
    }

    /// The ids of those who are in.
    #[must_use]
    pub fn added(&self) -> Vec<String> {
        self.ids(true)
    }

    /// The ids of those who are out.
    #[must_use]
    pub fn removed(&self) -> Vec<String> {
        self.ids(false)
    }

    fn ids(&self, wanted: bool) -> Vec<String> {
        self.named.values().filter(|(_, is_in)| *is_in == wanted).map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name_alone() {
        let asked = |text: &str| {
            let filter = ScimFilter::parse(text).unwrap();
            display_name(&filter).map(str::to_owned).ok()
        };
        for text in [
            r#"displayName eq "Engineering""#,
            r#"DISPLAYNAME EQ "Engineering""#,
            "displayName eq 'Engineering'",
            "displayName eq Engineering",
            r#"urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq "Engineering""#,
        ] {
            assert_eq!(asked(text).as_deref(), Some("Engineering"), "{text}");
        }
        assert_eq!(asked("displayName eq 'Site Reliability'").as_deref(), Some("Site Reliability"));
        for text in [
            r#"displayName co "E""#,
            r#"displayName ne "E""#,
            r#"id eq "E""#,
            r#"displayName eq "E" or displayName eq "F""#,
            "displayName pr",
            "displayName eq 5",
            r#"urn:ietf:params:scim:schemas:core:2.0:User:displayName eq "E""#,
        ] {
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn a_list_goes_by_name_or_age() {
        let order = |by: &str, order: &str| {
            let ScimGroupOrder { by_name, descending } = ScimGroupOrder::parse(Some(by), Some(order));
            (by_name, descending)
        };
        assert_eq!(order("displayName", ""), (true, false));
        assert_eq!(order(" DISPLAYNAME", "Descending"), (true, true));
        assert_eq!(order("meta.created", "descending"), (false, true));
        assert_eq!(order("members", "descending"), (false, false));
        assert_eq!(ScimGroupOrder::parse(None, Some("descending")), ScimGroupOrder::default());
    }

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_later_change_of_a_member_wins() {
        let mut change = ScimMemberChange::default();
        assert!(change.is_empty());
        change.add(ids("a B c"));
        change.remove(ids("b x"));
        assert_eq!((change.added(), change.removed(), change.replaces()), (ids("a c"), ids("b x"), false));
        change.replace(ids("d"));
        change.remove(ids("e"));
        assert_eq!((change.added(), change.removed(), change.replaces()), (ids("d"), ids("e"), true));
        change.replace(ids(""));
        assert_eq!((change.added(), change.removed(), change.is_empty()), (ids(""), ids(""), false));
    }
}
