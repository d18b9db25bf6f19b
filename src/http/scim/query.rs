//! The parameters of a SCIM query.

use axum::http::Uri;

use super::projection::Projection;

/// The parameters of a query, in their order.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Those of a URL.
    #[must_use]
    pub fn of(uri: &Uri) -> Self {
        let text = uri.query().unwrap_or_default();
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The parameter of this name, in any letter case. Of several the last counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Which parts of resources of this schema are asked for.
    #[must_use]
    pub fn projection(&self, schema: &str) -> Projection {
        Projection::new(schema, self.get("attributes"), self.get("excludedAttributes"))
    }
}
