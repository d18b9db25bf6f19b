//! What a client asks for of a list, by query or by body, and the list that answers it (RFC 7644, section 3.4.2).

use axum::extract::{FromRequest, Request};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::body::{self, ScimBody};
use super::error::ScimError;
use super::json_answer;
use super::projection::AttributeProjection;
use crate::domain::scim::filter::ScimFilter;
use crate::domain::scim::group::ScimGroupOrder;
use crate::domain::scim::search::ScimUserOrder;
use crate::store::scim_search::ScimPage;

/// Resources on a page, where the client does not say.
const COUNT: i64 = 20;
/// Resources on a page at most.
pub const MAX_COUNT: i64 = 100;

/// What a client asks for. As an extractor it reads the query of a `GET`, and the body of a `POST` to `.search`, which
/// keeps what is asked for out of logs and URLs (section 3.4.3).
#[derive(Debug, Default)]
pub struct ScimListRequest {
    filter: Option<String>,
    start_index: Option<String>,
    count: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
}

impl<S: Send + Sync> FromRequest<S> for ScimListRequest {
    type Rejection = ScimError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ScimError> {
        if request.method() == Method::POST {
            let ScimBody(fields) = ScimBody::from_request(request, state).await?;
            return Ok(Self::of_body(&fields));
        }
        Self::of_query(request.uri().query().unwrap_or_default())
    }
}

impl ScimListRequest {
    fn of_query(query: &str) -> Result<Self, ScimError> {
        let mut request = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match name.to_ascii_lowercase().as_str() {
                "filter" if value.contains(char::REPLACEMENT_CHARACTER) => {
                    return Err(ScimError::InvalidSyntax("the filter is not UTF-8".to_owned()));
                }
                "filter" => request.filter = Some(value),
                "startindex" => request.start_index = Some(value),
                "count" => request.count = Some(value),
                "sortby" => request.sort_by = Some(value),
                "sortorder" => request.sort_order = Some(value),
                "attributes" => request.attributes.push(value),
                "excludedattributes" => request.excluded.push(value),
                _ => {}
            }
        }
        Ok(request)
    }

    fn of_body(object: &Map<String, Value>) -> Self {
        let text = |name| body::member(object, name).and_then(body::text);
        let texts = |name| match body::member(object, name) {
            Some(Value::Array(values)) => values.iter().filter_map(body::text).collect(),
            Some(value) => body::text(value).into_iter().collect(),
            None => Vec::new(),
        };
        Self {
            filter: text("filter"),
            start_index: text("startIndex"),
            count: text("count"),
            sort_by: text("sortBy"),
            sort_order: text("sortOrder"),
            attributes: texts("attributes"),
            excluded: texts("excludedAttributes"),
        }
    }

    /// What resources must be like; a blank filter is none.
    ///
    /// # Errors
    /// 412 for what is no filter.
    pub fn filter(&self) -> Result<Option<ScimFilter>, ScimError> {
        let text = self.filter.as_deref().filter(|text| !text.trim().is_empty());
        text.map(ScimFilter::parse).transpose().map_err(|_| ScimError::UnsupportedFilter)
    }

    /// The order, where it is one of users.
    pub fn order(&self) -> ScimUserOrder {
        ScimUserOrder::parse(self.sort_by.as_deref(), self.sort_order.as_deref())
    }

    /// The order, where it is one of groups.
    pub fn group_order(&self) -> ScimGroupOrder {
        ScimGroupOrder::parse(self.sort_by.as_deref(), self.sort_order.as_deref())
    }

    /// The page: what cannot be read counts as not said, and what is out of bounds as the nearest bound.
    pub fn page(&self) -> ScimPage {
        let start_index = number(self.start_index.as_deref()).unwrap_or(1).max(1);
        let limit = number(self.count.as_deref()).unwrap_or(COUNT).clamp(0, MAX_COUNT);
        ScimPage { offset: start_index - 1, limit }
    }

    /// What is shown of each resource, which are of this schema.
    pub fn projection(&self, schema: &str) -> AttributeProjection {
        let attributes = self.attributes.iter().map(String::as_str);
        AttributeProjection::new(schema, attributes, self.excluded.iter().map(String::as_str))
    }
}

/// A page of what was found.
#[derive(Debug)]
pub struct ScimListPage {
    /// The page.
    pub resources: Vec<Map<String, Value>>,
    /// How much there is on all pages.
    pub total: i64,
    /// How much the page has room for.
    pub limit: i64,
}

impl ScimListPage {
    /// The answer to who asked for this page.
    pub fn answer(&self, page: ScimPage) -> Response {
        let answer = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
            "totalResults": self.total,
            "itemsPerPage": self.limit,
            "startIndex": page.offset + 1,
            "Resources": self.resources,
        });
        json_answer(StatusCode::OK, &answer)
    }
}

/// Digits with a sign; those that no list reaches count as far beyond its end.
fn number(text: Option<&str>) -> Option<i64> {
    let text = text?.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}
